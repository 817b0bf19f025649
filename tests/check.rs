//! `wgrad check` from its command line: it passes good shaders, catches bad ones, and says where.
//!
//! Needs an adapter: `tests/install_vulkan.sh` installs a software one. Without any these tests fail and say so.

#[allow(dead_code)] // the other tests of the command line use the rest
mod cli;

use std::fs;
use std::process::Output;

use cli::{Sandbox, stderr};

impl Sandbox {
    /// The folder `shaders` with one of wgrad's files, in which `from` is replaced by `to`.
    fn edit_shader(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(format!("{}/shaders/{name}", env!("CARGO_MANIFEST_DIR"))).expect("a shader");
        assert!(text.contains(from), "{name} has no `{from}`");
        let path = self.path(&format!("shaders/{name}"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        self.write(&format!("shaders/{name}"), text.replacen(from, to, 1));
    }

    fn check(&self, arguments: &str) -> Output {
        self.wgrad(&format!("check {arguments}"), None).output().expect("wgrad runs")
    }

    /// What a check that must fail prints, on standard output and as its error.
    fn fail(&self, arguments: &str) -> [String; 2] {
        let output = self.check(arguments);
        let (printed, error) = (String::from_utf8_lossy(&output.stdout).into_owned(), stderr(&output));
        assert_eq!(output.status.code(), Some(1), "{printed}{error}");
        [printed, error]
    }
}

#[test]
fn a_broken_shader_is_caught_and_its_case_can_be_repeated() {
    let sandbox = Sandbox::new();
    sandbox.edit_shader("softmax.wgsl", "held[c] / sum", "held[c] - sum");
    let [printed, error] = sandbox.fail("--op softmax --op tanh --shaders shaders");
    assert!(printed.contains("\ntanh "), "{printed}");
    assert!(error.contains("error: 1 of 2 ops are wrong on "), "{error}");
    let failed = printed.find("FAILED case ").expect("a failure");
    for part in ["output 0[", "got ", "expected ", "bound ", "softmax:forward_short", "bounds checks on"] {
        assert!(printed[failed..].contains(part), "`{part}` is not in\n{printed}");
    }
    let again = printed.lines().find_map(again).expect("a command");
    let [printed, _] = sandbox.fail(&again.replace('\'', ""));
    assert!(printed.contains("1 of 1 cases failed"), "{printed}");
    // An output that nobody writes keeps the bits that stood there.
    sandbox.edit_shader("softmax.wgsl", "y[start + c] = held[c] / sum", "if c > 0u { y[start + c] = held[c] / sum; }");
    let [printed, _] = sandbox.fail("--op softmax --shaders shaders");
    assert!(printed.contains("no kernel writes it"), "{printed}");
}

/// The arguments behind `check` in the command that repeats a case.
fn again(line: &str) -> Option<&str> {
    line.trim().strip_prefix("again: ")?.split_once(" check ").map(|(_, arguments)| arguments)
}

#[test]
fn unedited_shaders_pass_in_every_form() {
    let sandbox = Sandbox::new();
    sandbox.edit_shader("softmax.wgsl", "sum", "sum");
    // Files of other ops and of the bench may lie beside it, as in a copy of the whole folder.
    for other in ["tanh.wgsl", "shared/grid.wgsl", "bench/copy.wgsl", "software/matmul.wgsl"] {
        sandbox.edit_shader(other, "", "");
    }
    let printed = sandbox.succeed("check --op softmax --shaders shaders");
    assert!(printed.contains("\nsoftmax "), "{printed}");
    sandbox.succeed("check --op softmax --shaders shaders --unchecked");
    let json = sandbox.succeed("check --op additive_score --op sum --json --seed 5");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let rows = json["ops"].as_array().expect("rows");
    let named: Vec<_> =
        rows.iter().map(|row| (row["op"].as_str().unwrap(), row["kernels"].as_str().unwrap())).collect();
    let kinds = |op| named.iter().filter(|(name, _)| *name == op).map(|(_, kernels)| *kernels).collect::<Vec<_>>();
    assert_eq!(kinds("additive_score"), ["all"]);
    let sums = kinds("sum");
    assert!(sums.contains(&"software") && sums.contains(&"hardware") && sums.len() <= 3, "{sums:?}");
    for row in rows {
        let share = row["worst"]["share"].as_f64().expect("a number");
        assert!(share > 0.0 && share <= 1.0, "{row}");
    }
    let printed = sandbox.succeed("check --op tanh --device cpu");
    assert!(
        printed.contains("tanh                   cpu") && printed.contains("tanh                   gradient"),
        "{printed}"
    );
}

#[test]
fn a_wgsl_error_fails_its_op_alone_and_names_file_and_line() {
    let sandbox = Sandbox::new();
    sandbox.edit_shader("softmax.wgsl", "var largest = Numbers(LOWEST);", "var largest = nonsense;");
    let [printed, error] = sandbox.fail("--op softmax --op tanh --shaders shaders");
    assert!(printed.contains("\ntanh ") && error.contains("error: 1 of 2 ops are wrong on "), "{printed}{error}");
    let text = String::from_utf8(sandbox.read("shaders/softmax.wgsl")).unwrap();
    let line = 1 + text.lines().position(|line| line.contains("nonsense")).unwrap();
    let place = format!("    shaders/softmax.wgsl, line {line}: ");
    for part in [
        &place,
        "no definition in scope for identifier: `nonsense`",
        "cases did not run",
        " check --op softmax --case ",
    ] {
        assert!(printed.contains(part), "`{part}` is not in\n{printed}");
    }
    assert_eq!(printed.matches(&format!("shaders/softmax.wgsl:{line}:")).count(), 1, "{printed}");
    // As JSON once for each kind of kernels, not for each case.
    let [printed, _] = sandbox.fail("--op softmax --op tanh --shaders shaders --json");
    let json: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    for row in json["ops"].as_array().expect("rows") {
        let failures = row["failures"].as_array().expect("failures");
        let refused = failures.iter().filter(|f| f["problem"]["refused"]["message"].is_string()).count();
        assert_eq!([refused, failures.len()], [usize::from(row["op"] == "softmax"); 2], "{row}");
        assert_eq!(row["not_run"] != 0, row["op"] == "softmax", "{row}");
    }
    // In a file that others import.
    let sandbox = Sandbox::new();
    sandbox.edit_shader("shared/grid.wgsl", "group.y * groups.x", "group.w * groups.x");
    let text = String::from_utf8(sandbox.read("shaders/shared/grid.wgsl")).unwrap();
    let line = 1 + text.lines().position(|line| line.contains("group.w")).unwrap();
    let [printed, _] = sandbox.fail("--op add --shaders shaders");
    for part in [
        &format!("    shaders/shared/grid.wgsl, line {line}: "),
        &format!("grid.wgsl:{line}:"),
        &format!("\n    {line} "),
    ] {
        assert!(printed.contains(part.as_str()), "`{part}` is not in\n{printed}");
    }
    // An entry point that is gone.
    let sandbox = Sandbox::new();
    sandbox.edit_shader("add.wgsl", "fn forward", "fn backward");
    let [printed, _] = sandbox.fail("--op add --shaders shaders");
    assert!(printed.contains("    shaders/add.wgsl: ") && printed.contains("'forward'"), "{printed}");
}

#[test]
fn a_whole_step_names_the_first_wrong_op() {
    let sandbox = Sandbox::new();
    for device in ["auto", "cpu"] {
        let printed = sandbox.succeed(&format!("check --plan tiny --device {device}"));
        assert!(printed.contains("\nadam "), "{printed}");
    }
    // Another seed, other parameters.
    let worst = |seed: u32| {
        let printed = sandbox.succeed(&format!("check --plan tiny --device cpu --seed {seed} --json"));
        let json: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
        assert_eq!(json["seed"], seed);
        json["plans"][0]["steps"].to_string()
    };
    assert!(worst(5) == worst(5) && worst(5) != worst(6));
    sandbox.edit_shader("linear_cross_entropy.wgsl", "exp(", "exp(1e-3 + ");
    sandbox.edit_shader("adam.wgsl", "sqrt(", "1.01 * sqrt(");
    let [printed, error] = sandbox.fail("--plan tiny --shaders shaders");
    assert!(error.contains("of tiny is wrong on ") && error.contains(": linear_cross_entropy"), "{error}");
    assert!(printed.contains("FIRST WRONG: step ") && printed.contains("linear_cross_entropy:softmax"), "{printed}");
    assert!(
        printed.contains("\nagain: ")
            && printed.contains(" check --plan tiny --seed 0 --device auto --shaders shaders\n"),
        "{printed}"
    );
    // A kernel that does not compile is its step's fault, with every kind of kernels.
    sandbox.edit_shader("linear_cross_entropy.wgsl", "exp(", "nonsense(");
    let [printed, _] = sandbox.fail("--plan tiny --shaders shaders --json");
    let json: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    for plan in json["plans"].as_array().expect("plans") {
        let steps = plan["steps"].as_array().expect("steps");
        let last = steps.last().expect("a step");
        assert_eq!(last["op"], "linear_cross_entropy", "{last}");
        let message = last["problem"]["refused"]["message"].as_str().expect("a message");
        assert!(message.starts_with("shaders/linear_cross_entropy.wgsl, line "), "{message}");
    }
}

/// naga takes all of it, and llvmpipe computes what it should.
#[test]
fn what_other_compilers_take_differently_is_told_with_file_and_line() {
    let sandbox = Sandbox::new();
    sandbox.edit_shader("softmax.wgsl", "var held = array<Numbers, HELD>();", "var held: array<Numbers, HELD>;");
    sandbox.edit_shader(
        "shared/reduce_workgroup.wgsl",
        "workgroupBarrier();",
        "if local < LANES { workgroupBarrier(); }",
    );
    sandbox.edit_shader("shared/reduce_subgroup.wgsl", "enable subgroups;", "");
    sandbox.edit_shader("shared/elements.wgsl", "const ", "const ODD: u32 = 1u << 2u | 3u; const ");
    let told = stderr(&sandbox.check("--op softmax --shaders shaders"));
    let line = |file: &str, part: &str| {
        let text = String::from_utf8(sandbox.read(&format!("shaders/{file}"))).unwrap();
        1 + text.lines().position(|line| line.contains(part)).unwrap()
    };
    for (file, part, say) in [
        ("softmax.wgsl", "var held: ", "write `var held = array<Numbers, HELD>();`"),
        ("shared/reduce_workgroup.wgsl", "if local < LANES { ", "not all invocations come to this barrier"),
        ("shared/reduce_subgroup.wgsl", "subgroupExclusiveAdd(", "without the line `enable subgroups;`"),
        ("shared/elements.wgsl", "ODD", "need parentheses"),
    ] {
        let place = format!("warning: shaders/{file}, line {}: ", line(file, part));
        assert!(told.lines().any(|told| told.starts_with(&place) && told.contains(say)), "`{place}{say}` in {told}");
    }
    assert_eq!(told.matches("warning: ").count(), 4, "{told}");
    // Others have none.
    sandbox.edit_shader("softmax.wgsl", "sum", "sum");
    std::fs::remove_dir_all(sandbox.path("shaders/shared")).unwrap();
    assert_eq!(stderr(&sandbox.check("--op softmax --shaders shaders")), "");
}

#[test]
fn mutants_are_judged_and_verdicts_are_taken_up_again() {
    let sandbox = Sandbox::new();
    let few = sandbox.succeed("check --op scale --mutants 4 --seed 3 --verdicts v.jsonl");
    assert!(few.contains(": 4 of ") && few.contains("\nscale "), "{few}");
    let lines = |sandbox: &Sandbox| String::from_utf8(sandbox.read("v.jsonl")).expect("UTF-8");
    let written = lines(&sandbox);
    assert_eq!(written.lines().count(), 5, "{written}");
    // A killed run leaves a torn line, and perhaps what is no verdict: both are judged again, the others are not.
    let kept: Vec<&str> = written.lines().take(4).collect();
    let torn = format!("{}\n{{\"number\":0,\"mutant\":\"x\",\"verdict\":\"perhaps\"}}\n{{\"num", kept.join("\n"));
    sandbox.write("v.jsonl", torn);
    let again = sandbox.succeed("check --op scale --mutants 4 --seed 3 --verdicts v.jsonl");
    assert_eq!(again, few);
    let sorted = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(sorted(&lines(&sandbox)), sorted(&written));
    let json = sandbox.succeed("check --op scale --mutants 4 --seed 3 --verdicts v.jsonl --json");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["mutants"].as_array().map(Vec::len), Some(4), "{json}");
    let refused = sandbox.check("--op add --mutants 4 --verdicts v.jsonl");
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--verdicts v.jsonl: its verdicts are of other ops"), "{}", stderr(&refused));
    sandbox.write("words", "no verdicts");
    let refused = stderr(&sandbox.check("--op add --mutants 4 --verdicts words"));
    assert!(refused.contains("its first line is none that --mutants writes"), "{refused}");
}
