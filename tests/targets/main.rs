//! Every kernel, with every set of constants that the ops' cases, the presets' plans and the bench's ceilings use, for
//! targets whose hardware is not here: valid WGSL without other optional features than the target has, to naga and to
//! Chrome's compiler; within WebGPU's guaranteed limits, and translated to what Vulkan, Metal and Direct3D 12 take.
//!
//! Needs spirv-val, DXC, Node and Dawn: `tests/install_targets.sh` installs them. Without them a test fails and says
//! so.

mod chrome;
mod dawn;
mod dxc;
mod kernels;
mod languages;

use std::collections::{BTreeMap, BTreeSet};

use naga::proc::Layouter;
use naga::valid::{Capabilities, ModuleInfo};
use naga::{AddressSpace, Expression, Handle, Module, Statement, TypeInner};
use rayon::prelude::*;
use wgrad::graph::{Dispatch, Target};

use kernels::{capabilities, kernels, kernels_of_all, targets};
use languages::{compile, to_hlsl, to_msl, to_spirv, wgsl};

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
                if flagged {
                    Err("a loop has a flag: it has a `continue`, or ends in `return` or `break`".into())
                } else {
                    Ok(())
                }
            };
            translate().err().map(|e| format!("{shader}:{entry} with {constants:?}: {e}"))
        })
        .collect();
    println!("{} kernels", kernels.len());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// What the compilers say against a kernel is heard, and so is a loop's flag.
#[test]
fn a_wrong_kernel_is_noticed() {
    let nonsense = dxc::compile("[numthreads(1, 1, 1)] void main() { nonsense(); }", "main", "cs_6_0", &[]);
    assert!(nonsense.as_ref().is_err_and(|said| said.contains("nonsense")), "{nonsense:?}");
    let text = "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(1) fn e() {
            for (var i = 0u; i < 4u; i++) { if y[i] == 0u { continue; } y[i] = 1u; }
        }";
    let (module, info) = compile(text, Capabilities::empty()).expect("valid WGSL");
    assert!(to_msl(&module, &info, "e", Capabilities::empty()).expect("MSL").contains("loop_init"));
    assert!(to_hlsl(&module, &info, "e", Capabilities::empty()).expect("HLSL").contains("loop_init"));
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

/// Functions that write one number of a vector where hardware's compilers cannot be trusted with it. In memory which
/// invocations share, by WGSL such a write may touch the whole vector, Metal's compilers take it so, and what another
/// invocation writes beside it is lost. Elsewhere Direct3D's older compiler, FXC, refuses a number whose place is
/// computed (wgpu's issues 4460 and 8334).
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
    for folder in ["", "software/", "bench/"] {
        let path = format!("{}/shaders/{folder}", env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(path).expect("a folder of shaders") {
            let path = entry.expect("an entry").path();
            let shader = format!("{folder}{}", path.file_stem().expect("a name").to_str().expect("UTF-8"));
            if path.extension().is_some_and(|ending| ending == "wgsl") && !sources.contains_key(shader.as_str()) {
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
