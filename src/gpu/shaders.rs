//! The WGSL of every op, and how a kernel's source is put together.

/// Every file in `shaders/`, by name.
const SHADERS: &[(&str, &str)] = &[
    ("adam", include_str!("../../shaders/adam.wgsl")),
    ("add", include_str!("../../shaders/add.wgsl")),
    ("add_position", include_str!("../../shaders/add_position.wgsl")),
    ("additive_score", include_str!("../../shaders/additive_score.wgsl")),
    ("argmax", include_str!("../../shaders/argmax.wgsl")),
    ("attention", include_str!("../../shaders/attention.wgsl")),
    ("beam_step", include_str!("../../shaders/beam_step.wgsl")),
    ("bias_add", include_str!("../../shaders/bias_add.wgsl")),
    ("choose_ids", include_str!("../../shaders/choose_ids.wgsl")),
    ("clip_grad_norm", include_str!("../../shaders/clip_grad_norm.wgsl")),
    ("concat", include_str!("../../shaders/concat.wgsl")),
    ("dropout", include_str!("../../shaders/dropout.wgsl")),
    ("embedding", include_str!("../../shaders/embedding.wgsl")),
    ("fill", include_str!("../../shaders/fill.wgsl")),
    ("gather_batch", include_str!("../../shaders/gather_batch.wgsl")),
    ("gather_rows", include_str!("../../shaders/gather_rows.wgsl")),
    ("gru", include_str!("../../shaders/gru.wgsl")),
    ("gru_backward", include_str!("../../shaders/gru_backward.wgsl")),
    ("layer_norm", include_str!("../../shaders/layer_norm.wgsl")),
    ("layer_norm_backward", include_str!("../../shaders/layer_norm_backward.wgsl")),
    ("linear_cross_entropy", include_str!("../../shaders/linear_cross_entropy.wgsl")),
    ("log_softmax", include_str!("../../shaders/log_softmax.wgsl")),
    ("lstm", include_str!("../../shaders/lstm.wgsl")),
    ("lstm_gates", include_str!("../../shaders/lstm_gates.wgsl")),
    ("matmul", include_str!("../../shaders/matmul.wgsl")),
    ("mul", include_str!("../../shaders/mul.wgsl")),
    ("normalize", include_str!("../../shaders/normalize.wgsl")),
    ("relu", include_str!("../../shaders/relu.wgsl")),
    ("rnn", include_str!("../../shaders/rnn.wgsl")),
    ("scale", include_str!("../../shaders/scale.wgsl")),
    ("sigmoid", include_str!("../../shaders/sigmoid.wgsl")),
    ("slice", include_str!("../../shaders/slice.wgsl")),
    ("softmax", include_str!("../../shaders/softmax.wgsl")),
    ("stack", include_str!("../../shaders/stack.wgsl")),
    ("sum", include_str!("../../shaders/sum.wgsl")),
    ("sum_rows", include_str!("../../shaders/sum_rows.wgsl")),
    ("tanh", include_str!("../../shaders/tanh.wgsl")),
    ("shared/activation", include_str!("../../shaders/shared/activation.wgsl")),
    ("shared/grid", include_str!("../../shaders/shared/grid.wgsl")),
    ("shared/philox", include_str!("../../shaders/shared/philox.wgsl")),
    ("shared/reduce", include_str!("../../shaders/shared/reduce.wgsl")),
];

fn text(name: &str) -> &'static str {
    let found = SHADERS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no shader `{name}` in src/gpu/shaders.rs")).1
}

/// The source of a shader: its constants, then its text with every `#import NAME` line replaced by that file.
pub fn assemble(name: &str, constants: &[(&'static str, u32)]) -> String {
    let mut source = String::new();
    for (constant, value) in constants {
        source += &format!("const {constant}: u32 = {value}u;\n");
    }
    for line in text(name).lines() {
        source += line.strip_prefix("#import ").map_or(line, |import| text(import.trim()));
        source.push('\n');
    }
    source
}

#[cfg(test)]
mod tests {
    use super::SHADERS;

    #[test]
    fn every_file_is_listed() {
        let folder = |sub: &str| {
            let entries = std::fs::read_dir(format!("{}/shaders/{sub}", env!("CARGO_MANIFEST_DIR")))
                .expect("the shaders' folder");
            let names = entries.map(|e| e.expect("an entry").file_name().into_string().expect("UTF-8"));
            names.filter_map(|n| Some(format!("{sub}{}", n.strip_suffix(".wgsl")?))).collect::<Vec<_>>()
        };
        let mut files = folder("");
        files.extend(folder("shared/"));
        files.sort();
        let mut listed: Vec<_> = SHADERS.iter().map(|(name, _)| name.to_string()).collect();
        listed.sort();
        assert_eq!(files, listed);
    }
}
