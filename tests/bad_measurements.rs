//! What nobody can check or bench is refused before minutes are spent on it, and is told apart from a wrong kernel.

#[allow(dead_code, reason = "other tests use the rest")]
mod cli;
#[path = "cli/refuse.rs"]
mod refuse;

use std::fs;

use cli::Sandbox;

#[test]
fn an_op_that_is_not_there_is_refused_in_the_same_words() {
    let sandbox = Sandbox::new();
    let names: Vec<_> = wgrad::ops::OPS.iter().map(|op| op.name).collect();
    let message = format!("--op softmx: there is no such op; expected one of {}", names.join(", "));
    sandbox.refuse("check --op add --op softmx", &[&message]);
    sandbox.refuse("bench --op add --op softmx", &[&message]);
}

#[test]
fn checks_of_what_is_not_there() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("empty")).unwrap();
    fs::create_dir(sandbox.path("strange")).unwrap();
    sandbox.write("strange/softmx.wgsl", "");
    fs::create_dir(sandbox.path("imports")).unwrap();
    sandbox.write("imports/add.wgsl", "// c = a + b\n#import shared/gird\n");
    for (arguments, parts) in [
        ("--case 3", &["--case: a case has a number within its op; expected one op"][..]),
        ("--op add --case 999 --device cpu", &["--case 999: expected a number from 0 to ", "the cases of add"]),
        ("--plan nonsense", &["nonsense", "captions", "tiny"]),
        ("--device nonsense", &["no device is called `nonsense`", "--device NAME"]),
        ("--shaders nowhere", &["cannot read nowhere", "expected a folder with files of wgrad's `shaders/`"]),
        ("--shaders empty", &["empty has no file that ends in .wgsl"]),
        ("--shaders strange", &["strange/softmx.wgsl is no shader of these ops; expected some of adam, add, "]),
        ("--shaders imports", &["imports/add.wgsl, line 2: `#import shared/gird` names no shared file", "shared/grid"]),
        ("--report nowhere/report.md --device cpu", &["cannot write nowhere/report.md"]),
        ("--cases some", &["some", "quick", "full"]),
        ("--plan tiny --op add", &["--plan", "--op"]),
    ] {
        sandbox.refuse(&format!("check {arguments}"), parts);
    }
    let repository = env!("CARGO_MANIFEST_DIR");
    let arguments = format!("check --device cpu --shaders {repository}/shaders");
    sandbox.refuse(&arguments, &["--shaders: the CPU runs no shaders; expected a graphics adapter"]);
}

#[test]
fn benches_that_make_no_sense() {
    let sandbox = Sandbox::new();
    sandbox.refuse("bench --step tine", &["there is no preset `tine`: did you mean `tiny`?"]);
    sandbox.refuse("bench --step tiny --op add", &["cannot be used with", "--op <NAME>", "--step <PRESET>"]);
    sandbox.refuse("bench --step tiny --svg roof.svg", &["cannot be used with", "--svg <FILE>", "--step <PRESET>"]);
    sandbox.refuse("bench --save a --against b", &["cannot be used with", "--save <FILE>", "--against <FILE>"]);
    sandbox.refuse("bench --save nowhere/run", &["--save: there is no folder nowhere; make it first"]);
    sandbox.refuse("bench --svg nowhere/roof.svg", &["--svg: there is no folder nowhere; make it first"]);
    sandbox
        .refuse("bench --against nowhere", &["cannot read nowhere", "expected a file that `wgrad bench --save` wrote"]);
    sandbox.write("words", "a b c");
    sandbox.refuse("bench --against words", &["words is no run of `wgrad bench`"]);
    sandbox.refuse("bench --device cpu --shaders nowhere", &["cannot read nowhere"]);
    fs::create_dir(sandbox.path("shaders")).unwrap();
    sandbox.write("shaders/add.wgsl", "");
    sandbox.refuse(
        "bench --device cpu --shaders shaders",
        &["--shaders shaders: cpu (", "choose an adapter with --device"],
    );
    sandbox.refuse("bench --device nosuch --op sum", &["no device is called `nosuch`"]);
}

#[test]
fn a_bench_compares_with_runs_of_its_own_device() {
    let sandbox = Sandbox::new();
    let first = sandbox.succeed("bench --device cpu --op choose_ids --save run --svg roof.svg");
    assert!(first.contains("ceilings, measured") && first.contains("1,000,000 ids"), "{first}");
    assert!(sandbox.read("roof.svg").starts_with(b"<svg"), "a drawing");
    let again = sandbox.succeed("bench --device cpu --op choose_ids --against run");
    assert!(again.contains("times as long") && again.contains("choose_ids: 1,000,000 ids"), "{again}");
    let run = String::from_utf8(sandbox.read("run")).unwrap();
    sandbox.write("other", run.replace("cpu (", "another ("));
    sandbox.refuse("bench --device cpu --op choose_ids --against other", &["other was measured on `another ("]);
}

#[test]
fn mistakes_in_the_command_line_of_a_check_or_bench_are_no_wrong_kernels() {
    let sandbox = Sandbox::new();
    for arguments in [
        "check --op softmx",
        "check --case 3",
        "check --op add --case 999 --device cpu",
        "check --plan tine",
        "check --device nosuch",
        "check --shaders nowhere",
        "bench --op softmx",
        "bench --step tine",
        "bench --against nowhere",
        "bench --device nosuch",
    ] {
        // Which stands with exit status 2.
        sandbox.refuse(arguments, &["\n\nFor more information, try '--help'."]);
    }
}

#[test]
fn what_only_an_adapter_does_is_refused_on_the_cpu() {
    let sandbox = Sandbox::new();
    for arguments in ["--webgpu-limits", "--webgpu-limits --plan tiny"] {
        let error = sandbox.refuse(
            &format!("check --device cpu {arguments}"),
            &["--webgpu-limits: the CPU has no such limits; expected a graphics adapter"],
        );
        let adapter = wgrad::gpu::list().into_iter().next();
        let hint = adapter.map_or("None is there. ".into(), |adapter| format!("with --device: {}", adapter.name));
        assert!(error.contains(&hint), "{error}");
    }
}

#[test]
fn a_bench_says_what_a_saved_run_lacks() {
    let sandbox = Sandbox::new();
    sandbox.succeed("bench --device cpu --op choose_ids --save run");
    for (arguments, expected) in [
        (
            "--op gather_batch",
            "expected kernels of gather_batch, as `wgrad bench --op gather_batch --save FILE` writes",
        ),
        ("--step tiny", "expected a step of tiny, as `wgrad bench --step tiny --save FILE` writes"),
    ] {
        let arguments = format!("bench --device cpu {arguments} --against run");
        sandbox.refuse(&arguments, &["--against run: it has kernels of choose_ids", expected]);
    }
    let run = String::from_utf8(sandbox.read("run")).unwrap();
    sandbox.write("other", run.replacen("1,000,000 ids", "7 ids", 1));
    let printed = sandbox.succeed("bench --device cpu --op choose_ids --against other");
    assert!(printed.contains("not in the saved run, and so not compared:\n  choose_ids: 1,000,000 ids"), "{printed}");
}
