//! Every kernel, with every set of constants that the ops' cases, the presets' plans and the bench's ceilings use, for targets whose hardware is not here:
//! valid WGSL without other optional features than the target has, within WebGPU's guaranteed limits, and translated to what Vulkan, Metal and Direct3D 12
//! take.
//!
//! Needs spirv-val: `tests/install_targets.sh` installs it. Without it a test fails and says so.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::ops::Range;
use std::process::{Command, Stdio};

use naga::back::{hlsl, msl, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy, Layouter};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Expression, Handle, Module, ShaderStage, Statement, TypeInner};
use rayon::prelude::*;
use wgrad::bench::ceilings;
use wgrad::check::plan_of;
use wgrad::decode::{Beam, Search};
use wgrad::gpu::{Shaders, straighten};
use wgrad::graph::{Dispatch, Target, TensorType};
use wgrad::models;
use wgrad::ops::OPS;
use wgrad::ops::case::CaseSet;
use wgrad::plan::{Clock, Counters, Device, DeviceError, Plan, Prepared, Profile, Region};
use wgrad::text::BatchShape;
use wgrad::train::Split;
use wgrad::train::config::{Config, PRESETS};
use wgrad::train::step::{StepBatch, training_plan, validation_plan};

/// What a pipeline depends on: shader, entry point, constants.
type Kernel = (&'static str, &'static str, Vec<(&'static str, u32)>);

/// Kernels, and the launches that use them.
type Kernels = BTreeMap<Kernel, Vec<Dispatch>>;

/// A device that only takes note of what it would launch.
struct Recorder {
    target: Target,
    kernels: Kernels,
    fetches: Vec<Vec<usize>>,
    steps: Vec<usize>,
}

impl Recorder {
    fn new(target: Target) -> Self {
        Self { target, kernels: BTreeMap::new(), fetches: vec![], steps: vec![] }
    }
}

impl Device for Recorder {
    fn describe(&self) -> String {
        "recorder".into()
    }

    fn target(&self) -> Target {
        self.target.clone()
    }

    fn allocate(&mut self, _name: &str, _tensor: &TensorType) -> Result<(), DeviceError> {
        Ok(())
    }

    fn write_f32(&mut self, _name: &str, _values: &[f32]) {}

    fn write_u32(&mut self, _name: &str, _values: &[u32]) {}

    fn read_f32(&mut self, _name: &str) -> Result<Vec<f32>, DeviceError> {
        unreachable!("nothing is computed here")
    }

    fn prepare(&mut self, plan: Plan) -> Result<Prepared, DeviceError> {
        for dispatch in plan.steps.iter().flat_map(|s| &s.dispatches) {
            let key = (dispatch.shader, dispatch.entry, dispatch.constants.clone());
            self.kernels.entry(key).or_default().push(dispatch.clone());
        }
        self.steps.push(plan.steps.len());
        self.fetches.push(plan.fetches.iter().map(|(region, _)| region.len).collect());
        Ok(Prepared(self.fetches.len() - 1))
    }

    fn fill_slots(&mut self, _bits: u32) {}

    fn run(&mut self, _plan: Prepared, _log: bool) -> Result<(), DeviceError> {
        Ok(())
    }

    fn run_part(&mut self, _plan: Prepared, _steps: Range<usize>) -> Result<(), DeviceError> {
        Ok(())
    }

    fn profile(&mut self, plan: Prepared) -> Result<Profile, DeviceError> {
        Ok(Profile { steps: vec![1.0; self.steps[plan.0]], clock: Clock::Wall })
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }

    fn read_bits(&mut self, _plan: Prepared, _region: &Region) -> Result<Vec<u32>, DeviceError> {
        unreachable!("nothing is computed here")
    }

    fn logged(&mut self, _wait: bool) -> Result<Vec<Vec<f32>>, DeviceError> {
        Ok(vec![])
    }

    fn fetch_f32(&mut self, plan: Prepared, index: usize) -> Result<Vec<f32>, DeviceError> {
        Ok(vec![0.0; self.fetches[plan.0][index]])
    }

    fn fetch_u32(&mut self, plan: Prepared, index: usize) -> Result<Vec<u32>, DeviceError> {
        Ok(vec![0; self.fetches[plan.0][index]])
    }
}

/// The kernels of all ops' cases, those that training, validating and translating take with every preset, and those that measure a device.
fn kernels(target: Target) -> Kernels {
    let mut recorder = Recorder::new(target.clone());
    for case in OPS.iter().flat_map(|(_, cases)| cases(&CaseSet::default())) {
        recorder.prepare(plan_of(&case, &target).0).expect("a plan");
    }
    for (preset, _) in PRESETS {
        let config = Config::preset(preset).expect("a preset");
        // Multi30k's English words that occur twice; shapes of a large batch and of a small one.
        let model = models::build(&config.model, [6191; 2]);
        let words = vec![vec![4; 12]; 4];
        let split = Split::new("training", [&words, &words], 16, config.data.frame);
        for shape in
            [BatchShape { sentences: 128, source: 20, target: 20 }, BatchShape { sentences: 3, source: 4, target: 4 }]
        {
            let batch = StepBatch { split: &split, shape, most: 128 };
            for plan in [training_plan, validation_plan] {
                recorder.prepare(plan(&*model, &config, batch, &target).expect("the shapes fit")).expect("a plan");
            }
        }
        for width in [1, 5] {
            let mut search = Search::new(model.clone(), config.data.frame, Beam { width, length_penalty: 1.0 });
            search.translate(&mut recorder, &words).expect("a search of nothing");
        }
    }
    ceilings::measure(&mut recorder).expect("the ceilings of nothing");
    recorder.kernels
}

/// Adapters that kernels are chosen by: software without and with subgroup operations, the least that WebGPU grants, what most hardware grants, and the same with each optional feature.
fn targets() -> [Target; 6] {
    let least = Target::webgpu();
    let software = Target { software: true, alignment: 4, max_invocations: 1024, ..least.clone() };
    let usual = Target { max_invocations: 1024, ..least.clone() };
    [
        software.clone(),
        Target { subgroup: 8, ..software },
        least,
        usual.clone(),
        Target { half: true, ..usual.clone() },
        Target { subgroup: 4, ..usual },
    ]
}

/// The optional features of a target, under naga's names.
fn capabilities(target: &Target) -> Capabilities {
    let mut capabilities = Capabilities::empty();
    capabilities.set(Capabilities::SHADER_FLOAT16, target.half);
    capabilities.set(Capabilities::SUBGROUP, target.subgroup > 0);
    capabilities
}

/// The kernels of all targets, each with the capabilities of the first that takes it.
fn kernels_of_all() -> BTreeMap<Kernel, (Capabilities, Vec<Dispatch>)> {
    let mut all = BTreeMap::new();
    for target in targets() {
        let capabilities = capabilities(&target);
        for (kernel, launches) in kernels(target) {
            all.entry(kernel).or_insert((capabilities, launches));
        }
    }
    all
}

/// The WGSL of a launch.
fn wgsl(launch: &Dispatch) -> String {
    Shaders::default().assemble(launch.shader, &launch.constants).text
}

/// Parses, straightens loops as `Gpu` does, and validates, with no other capabilities that stand for optional features.
fn compile(source: &str, capabilities: Capabilities) -> Result<(Module, ModuleInfo), String> {
    let mut module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    straighten(&mut module);
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    let info = validator.validate(&module).map_err(|e| e.emit_to_string(source))?;
    Ok((module, info))
}

fn bounds_checks(policy: BoundsCheckPolicy) -> BoundsCheckPolicies {
    BoundsCheckPolicies { index: policy, buffer: policy, image_load: policy, binding_array: policy }
}

/// SPIR-V as wgpu makes it on Vulkan 1.0 (with subgroup operations, 1.1) without runtime checks (training), and on Vulkan 1.3 with them.
fn to_spirv(module: &Module, info: &ModuleInfo, entry: &str, capabilities: Capabilities) -> Result<(), String> {
    let subgroups = capabilities.contains(Capabilities::SUBGROUP);
    let (oldest, lang_version) = if subgroups { ("vulkan1.1", (1, 3)) } else { ("vulkan1.0", (1, 0)) };
    let unchecked = spv::Options {
        lang_version,
        bounds_check_policies: bounds_checks(BoundsCheckPolicy::Unchecked),
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        emit_int_div_checks: false,
        ..Default::default()
    };
    let checked = spv::Options {
        lang_version: (1, 6),
        bounds_check_policies: bounds_checks(BoundsCheckPolicy::Restrict),
        ..Default::default()
    };
    let pipeline = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: entry.into() };
    for (environment, options) in [(oldest, unchecked), ("vulkan1.3", checked)] {
        let words = spv::write_vec(module, info, &options, Some(&pipeline)).map_err(|e| e.to_string())?;
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        spirv_val(environment, &bytes)?;
    }
    Ok(())
}

fn spirv_val(environment: &str, bytes: &[u8]) -> Result<(), String> {
    let mut command = Command::new("spirv-val");
    command
        .args(["--target-env", environment, "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| {
        panic!("cannot run spirv-val ({e}), which judges the SPIR-V. Install it: tests/install_targets.sh, or the package spirv-tools")
    });
    // It may stop reading at the first fault.
    let _ = child.stdin.take().expect("a pipe").write_all(bytes);
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    let said = [output.stdout, output.stderr].map(|s| String::from_utf8_lossy(&s).into_owned()).concat();
    if output.status.success() { Ok(()) } else { Err(format!("spirv-val for {environment}: {said}")) }
}

/// Metal's language of macOS 10.13, the oldest that wgpu runs on, or of macOS 10.14, which has subgroup operations.
fn to_msl(module: &Module, info: &ModuleInfo, entry: &str, capabilities: Capabilities) -> Result<String, String> {
    let subgroups = capabilities.contains(Capabilities::SUBGROUP);
    let options = msl::Options { lang_version: (2, subgroups.into()), ..Default::default() };
    let pipeline =
        msl::PipelineOptions { entry_point: Some((ShaderStage::Compute, entry.into())), ..Default::default() };
    let (text, translated) = msl::write_string(module, info, &options, &pipeline).map_err(|e| e.to_string())?;
    translated.entry_point_names.into_iter().try_for_each(|name| name.map(drop).map_err(|e| e.to_string()))?;
    Ok(text)
}

/// The language of Direct3D 12: shader model 5.1, the oldest that wgpu takes, or the oldest that has the optional feature.
fn to_hlsl(module: &Module, info: &ModuleInfo, entry: &str, capabilities: Capabilities) -> Result<String, String> {
    let shader_model = if capabilities.contains(Capabilities::SHADER_FLOAT16) {
        hlsl::ShaderModel::V6_2
    } else if capabilities.contains(Capabilities::SUBGROUP) {
        hlsl::ShaderModel::V6_0
    } else {
        hlsl::ShaderModel::V5_1
    };
    let options = hlsl::Options { shader_model, ..Default::default() };
    let pipeline = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, entry.into())) };
    let mut text = String::new();
    let written = hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None);
    let translated = written.map_err(|e| e.to_string())?;
    translated.entry_point_names.into_iter().try_for_each(|name| name.map(drop).map_err(|e| e.to_string()))?;
    Ok(text)
}

#[test]
fn every_kernel_is_valid_and_translates() {
    let kernels = kernels_of_all();
    let failures: Vec<String> = (kernels.par_iter())
        .filter_map(|((shader, entry, constants), (capabilities, launches))| {
            let translate = || -> Result<(), String> {
                let (module, info) = compile(&wgsl(&launches[0]), *capabilities)?;
                to_spirv(&module, &info, entry, *capabilities)?;
                let msl = to_msl(&module, &info, entry, *capabilities).map_err(|e| format!("MSL: {e}"))?;
                let hlsl = to_hlsl(&module, &info, entry, *capabilities).map_err(|e| format!("HLSL: {e}"))?;
                // What straightened loops are for: `src/gpu/loops.rs`.
                let flagged = [msl, hlsl].iter().any(|text| text.contains("loop_init"));
                if flagged { Err("a loop has a flag: it has a `continue`".into()) } else { Ok(()) }
            };
            translate().err().map(|e| format!("{shader}:{entry} with {constants:?}: {e}"))
        })
        .collect();
    println!("{} kernels", kernels.len());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// 16 KiB of workgroup memory, 256 invocations, 8 storage buffers, 64 KiB of uniform, 65,535 workgroups a dimension.
#[test]
fn kernels_for_webgpu_keep_to_its_guaranteed_limits() {
    let mut largest = [0; 3];
    for ((shader, entry, constants), launches) in kernels(Target::webgpu()) {
        let (module, info) = compile(&wgsl(&launches[0]), Capabilities::empty()).unwrap_or_else(|e| panic!("{e}"));
        let index = module.entry_points.iter().position(|e| e.name == entry).expect("the entry point exists");
        let mut layouter = Layouter::default();
        layouter.update(module.to_ctx()).expect("types with a layout");
        let used = info.get_entry_point(index);
        let workgroup_memory: u32 = (module.global_variables.iter())
            .filter(|&(handle, global)| global.space == AddressSpace::WorkGroup && !used[handle].is_empty())
            .map(|(_, global)| layouter[global.ty].size.next_multiple_of(16))
            .sum();
        let invocations: u32 = module.entry_points[index].workgroup_size.iter().product();
        let buffers = launches.iter().map(|d| d.bindings.len()).max().unwrap_or(0);
        let which = format!("{shader}:{entry} with {constants:?}");
        assert!(workgroup_memory <= 16 << 10, "{which} takes {workgroup_memory} bytes of workgroup memory");
        assert!(invocations <= 256, "{which} has {invocations} invocations");
        assert!(buffers <= 8, "{which} binds {buffers} storage buffers");
        for launch in &launches {
            assert!(launch.uniform.len() <= 16 << 10, "{which} has a uniform of {} words", launch.uniform.len());
            assert!(launch.workgroups.iter().all(|&n| n <= 65_535), "{which} has a grid of {:?}", launch.workgroups);
        }
        largest =
            [largest[0].max(workgroup_memory as usize), largest[1].max(invocations as usize), largest[2].max(buffers)];
    }
    let [memory, invocations, buffers] = largest;
    println!("at most {memory} bytes of workgroup memory, {invocations} invocations, {buffers} storage buffers");
}

/// Functions that write one number of a vector where hardware's compilers cannot be trusted with it. In memory which invocations share, by WGSL such a write may
/// touch the whole vector, Metal's compilers take it so, and what another invocation writes beside it is lost. Elsewhere Direct3D's older compiler, FXC, refuses
/// a number whose place is computed (wgpu's issues 4460 and 8334).
fn writes_of_one_number(module: &Module, info: &ModuleInfo) -> Vec<String> {
    let functions = module.functions.iter().map(|(handle, function)| (function, &info[handle]));
    let entries = module.entry_points.iter().enumerate().map(|(i, e)| (&e.function, info.get_entry_point(i)));
    let mut found = vec![];
    for (function, info) in functions.chain(entries) {
        let wrong = |pointer: Handle<Expression>| {
            // A pointer to a whole vector has a size, one to a number of an array a type.
            let TypeInner::ValuePointer { size: None, space, .. } = info[pointer].ty.inner_with(&module.types) else {
                return false;
            };
            let shared = matches!(space, AddressSpace::WorkGroup | AddressSpace::Storage { .. });
            shared || matches!(function.expressions[pointer], Expression::Access { .. })
        };
        let mut blocks = vec![&function.body];
        while let Some(block) = blocks.pop() {
            for statement in block {
                match statement {
                    Statement::Store { pointer, .. } if wrong(*pointer) => {
                        found.push(function.name.clone().unwrap_or_else(|| "the entry point".into()));
                    }
                    Statement::Block(inner) => blocks.push(inner),
                    Statement::If { accept, reject, .. } => blocks.extend([accept, reject]),
                    Statement::Loop { body, continuing, .. } => blocks.extend([body, continuing]),
                    Statement::Switch { cases, .. } => blocks.extend(cases.iter().map(|case| &case.body)),
                    _ => {}
                }
            }
        }
    }
    found
}

#[test]
fn hardware_writes_whole_vectors() {
    let mut found = BTreeSet::new();
    for target in targets().iter().filter(|target| !target.software) {
        for ((shader, _, constants), launches) in kernels(target.clone()) {
            let (module, info) = compile(&wgsl(&launches[0]), capabilities(target)).unwrap_or_else(|e| panic!("{e}"));
            let of_kernel = writes_of_one_number(&module, &info);
            found.extend(of_kernel.into_iter().map(|f| format!("{shader}, `{f}`, with {constants:?}")));
        }
    }
    let list: Vec<_> = found.into_iter().collect();
    assert!(list.is_empty(), "one number of a vector is written by:\n{}", list.join("\n"));
}

#[test]
fn a_write_of_one_number_is_noticed() {
    let of = |statement: &str| {
        let text = format!(
            "var<workgroup> w: array<vec4f, 8>;
            @group(0) @binding(0) var<storage, read_write> s: array<vec4f>;
            @group(0) @binding(1) var<storage, read_write> f: array<f32>;
            @compute @workgroup_size(8) fn e(@builtin(local_invocation_index) i: u32) {{
                var own: vec4f;
                if i < 4u {{ {statement} }}
            }}"
        );
        let (module, info) = compile(&text, Capabilities::empty()).expect("valid WGSL");
        writes_of_one_number(&module, &info).len()
    };
    for wrong in
        ["w[i][i % 4u] = 1.0;", "w[i].x = 1.0;", "s[i][i % 4u] = 1.0;", "s[0].y = 1.0;", "own[i] = 1.0; s[i] = own;"]
    {
        assert_eq!(of(wrong), 1, "{wrong}");
    }
    for right in
        ["w[i] = vec4f();", "s[i] = vec4f(1.0);", "f[i] = 1.0;", "own.y = 1.0; s[i] = own;", "own.x = w[i][i];"]
    {
        assert_eq!(of(right), 0, "{right}");
    }
}

/// An entry point that no case and no preset launches would be tested by nothing.
#[test]
fn every_entry_point_is_launched() {
    let kernels = kernels_of_all();
    let launched: BTreeSet<(&str, &str)> = kernels.keys().map(|&(shader, entry, _)| (shader, entry)).collect();
    let sources: BTreeMap<&str, (Capabilities, &Dispatch)> = kernels
        .iter()
        .map(|((shader, ..), (capabilities, launches))| (*shader, (*capabilities, &launches[0])))
        .collect();
    let mut idle = vec![];
    for folder in ["", "bench/"] {
        let path = format!("{}/shaders/{folder}", env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(path).expect("a folder of shaders") {
            let path = entry.expect("an entry").path();
            let shader = format!("{folder}{}", path.file_stem().expect("a name").to_str().expect("UTF-8"));
            if path.is_file() && !sources.contains_key(shader.as_str()) {
                idle.push(shader);
            }
        }
    }
    for (shader, (capabilities, launch)) in sources {
        let (module, _) = compile(&wgsl(launch), capabilities).unwrap_or_else(|e| panic!("{e}"));
        let missing = module.entry_points.iter().filter(|e| !launched.contains(&(shader, e.name.as_str())));
        idle.extend(missing.map(|e| format!("{shader}:{}", e.name)));
    }
    assert!(idle.is_empty(), "no case and no preset launches {}", idle.join(", "));
}
