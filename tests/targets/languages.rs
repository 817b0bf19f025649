//! A kernel in the languages of every target, and what their compilers say to it.

use std::io::Write;
use std::process::{Command, Stdio};

use naga::back::{hlsl, msl, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Module, ShaderStage};
use wgrad::gpu::{Shaders, straighten};
use wgrad::graph::Dispatch;

use super::dxc;

/// The WGSL of a launch, as naga takes it.
pub fn wgsl(launch: &Dispatch) -> String {
    Shaders::default().assemble(launch).for_naga().into_owned()
}

/// Parses, straightens loops as `Gpu` does, and validates, with no other capabilities that stand for optional features.
pub fn compile(source: &str, capabilities: Capabilities) -> Result<(Module, ModuleInfo), String> {
    let mut module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    straighten(&mut module);
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    let info = validator.validate(&module).map_err(|e| e.emit_to_string(source))?;
    Ok((module, info))
}

fn bounds_checks(policy: BoundsCheckPolicy) -> BoundsCheckPolicies {
    BoundsCheckPolicies { index: policy, buffer: policy, image_load: policy, binding_array: policy }
}

/// SPIR-V as wgpu makes it on Vulkan 1.0 (with subgroup operations, 1.1) without runtime checks (training), and on
/// Vulkan 1.3 with them.
pub fn to_spirv(module: &Module, info: &ModuleInfo, entry: &str, capabilities: Capabilities) -> Result<(), String> {
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
        panic!(
            "cannot run spirv-val ({e}), which judges the SPIR-V. Install it: tests/install_targets.sh, or the \
             package spirv-tools"
        )
    });
    // It may stop reading at the first fault.
    let _ = child.stdin.take().expect("a pipe").write_all(bytes);
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    let said = [output.stdout, output.stderr].map(|s| String::from_utf8_lossy(&s).into_owned()).concat();
    if output.status.success() { Ok(()) } else { Err(format!("spirv-val for {environment}: {said}")) }
}

/// Metal's language of macOS 10.13, the oldest that wgpu runs on, or of macOS 10.14, which has subgroup operations.
pub fn to_msl(module: &Module, info: &ModuleInfo, entry: &str, capabilities: Capabilities) -> Result<String, String> {
    let subgroups = capabilities.contains(Capabilities::SUBGROUP);
    let options = msl::Options { lang_version: (2, subgroups.into()), ..Default::default() };
    let pipeline =
        msl::PipelineOptions { entry_point: Some((ShaderStage::Compute, entry.into())), ..Default::default() };
    let (text, translated) = msl::write_string(module, info, &options, &pipeline).map_err(|e| e.to_string())?;
    translated.entry_point_names.into_iter().try_for_each(|name| name.map(drop).map_err(|e| e.to_string()))?;
    Ok(text)
}

/// The language of Direct3D 12, shader model 5.1, the oldest that wgpu takes, or the oldest that has the optional
/// feature: with runtime checks and, as training has it, without. DXC compiles both, with wgpu's arguments, for shader
/// model 6.0 or 6.2, its own oldest; the latter text is given back.
pub fn to_hlsl(module: &Module, info: &ModuleInfo, entry: &str, capabilities: Capabilities) -> Result<String, String> {
    let half = capabilities.contains(Capabilities::SHADER_FLOAT16);
    let shader_model = if half {
        hlsl::ShaderModel::V6_2
    } else if capabilities.contains(Capabilities::SUBGROUP) {
        hlsl::ShaderModel::V6_0
    } else {
        hlsl::ShaderModel::V5_1
    };
    // Where the size of the grid stands
    let special_constants_binding = Some(hlsl::BindTarget { space: 1, ..Default::default() });
    let unchecked = hlsl::Options {
        shader_model,
        restrict_indexing: false,
        force_loop_bounding: false,
        zero_initialize_workgroup_memory: false,
        special_constants_binding,
        ..Default::default()
    };
    let checked = hlsl::Options { shader_model, special_constants_binding, ..Default::default() };
    let pipeline = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, entry.into())) };
    let (profile, optional) = if half { ("cs_6_2", &["-enable-16bit-types"][..]) } else { ("cs_6_0", &[][..]) };
    let arguments = [&["-HV", "2018", "-no-warnings", "-Ges"], optional].concat();
    let mut text = String::new();
    for options in [checked, unchecked] {
        text.clear();
        let written = hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None);
        for name in written.map_err(|e| e.to_string())?.entry_point_names {
            dxc::compile(&text, &name.map_err(|e| e.to_string())?, profile, &arguments)?;
        }
    }
    Ok(text)
}
