//! Whatever is wrong with what a user hands over, wgrad says what it is and what to do, and leaves every file as it
//! was.

mod cli;
#[path = "cli/refuse.rs"]
mod refuse;

use std::fs;

use cli::{Sandbox, stderr};

/// Trains the smallest model on the folder `data` into the folder `run`, on the CPU.
const TRAIN: &str = "train --preset tiny --data data --out run --device cpu";

impl Sandbox {
    /// With a run of one epoch in `run`.
    fn with_run() -> Self {
        let sandbox = Self::with_captions(40);
        sandbox.succeed(&format!("{TRAIN} --set train.epochs=1"));
        sandbox
    }
}

#[test]
fn files_of_different_length() {
    let sandbox = Sandbox::with_captions(8);
    let english = String::from_utf8(sandbox.read("data/train.en")).unwrap();
    sandbox.write("data/train.en", english.split_inclusive('\n').take(5).collect::<String>());
    sandbox.refuse(
        TRAIN,
        &[
            "data/train.de has 8 lines but ",
            "data/train.en has 5; line n of one must translate line n of the other",
            "line 6 is the first without a partner",
        ],
    );
    let sandbox = Sandbox::with_run();
    sandbox.refuse(
        "evaluate run --src data/train.de --ref data/val.en --device cpu",
        &["data/train.de has 40 lines and data/val.en has 20", "expected line n of one to translate line n"],
    );
}

#[test]
fn empty_files() {
    let sandbox = Sandbox::with_run();
    sandbox.write("data/val.en", "");
    for arguments in [TRAIN, "evaluate run --src data/val.de --ref data/val.en --device cpu"] {
        let other = arguments.replace("--out run", "--out other");
        sandbox.refuse(&other, &["data/val.en is empty; expected one sentence a line"]);
    }
    sandbox.write("data/val.en", " \n".repeat(20));
    sandbox.refuse(
        "train --preset tiny --data data --out other",
        &["data: every pair of val has a blank side; expected sentences"],
    );
}

#[test]
fn invalid_utf8_names_file_and_line() {
    let sandbox = Sandbox::with_run();
    sandbox.write("latin1", b"Ein Hund schl\xe4ft.\n");
    let remedy = "iconv -f latin1 -t utf";
    let mut german = sandbox.read("data/train.de");
    let second_line = 1 + german.iter().position(|&byte| byte == b'\n').unwrap();
    german[second_line + 3] = 0xe4;
    sandbox.write("data/train.de", german);
    sandbox.refuse(
        "train --preset tiny --data data --out other --device cpu",
        &["data/train.de, line 2: byte 4 of the line (0xe4) is not valid UTF-8", remedy],
    );
    sandbox.refuse(
        "evaluate run --src latin1 --ref data/val.en --device cpu",
        &["latin1, line 1: byte 14 of the line (0xe4) is not valid UTF-8", remedy],
    );
    sandbox.refuse_command(
        sandbox.wgrad("translate run --device cpu", Some("latin1")),
        &["standard input, line 1: expected UTF-8 text", remedy],
    );
}

#[test]
fn sentences_longer_than_the_limit_are_counted() {
    let sandbox = Sandbox::with_captions(40);
    for language in ["de", "en"] {
        let name = format!("data/train.{language}");
        let mut text = sandbox.read(&name);
        text.extend_from_slice(format!("{}\n", "Hund ".repeat(100)).repeat(3).as_bytes());
        sandbox.write(&name, text);
    }
    let arguments = format!("{TRAIN} --set data.max_tokens=80 --set train.epochs=1");
    let output = sandbox.wgrad(&arguments, None).output().unwrap();
    assert!(
        output.status.success()
            && stderr(&output).contains(
                "3 training and 0 validation pairs have more than 80 tokens on a side and are left out of the loss \
                 (data.max_tokens)"
            ),
        "{}",
        stderr(&output)
    );
    // Nothing is left, and no half-made run either: the same --out must do once the limit is right.
    sandbox.refuse(
        "train --preset tiny --data data --out other --device cpu --set data.max_tokens=1",
        &["no training sentence is left: all 43 pairs have more than 1 tokens on a side", "Raise data.max_tokens"],
    );
    assert!(!sandbox.path("other").exists());
}

#[test]
fn an_unknown_language() {
    let sandbox = Sandbox::with_captions(8);
    sandbox.refuse(
        &format!("{TRAIN} --set data.source=fr"),
        &[
            "data/train.fr does not exist; found train.de, train.en; data.source=de takes another",
            ". Say so with --set data.source=de\n",
        ],
    );
    sandbox.refuse("train --data nowhere", &["cannot read ", "nowhere: "]);
    sandbox.refuse(
        &format!("{TRAIN} --set data.source=en"),
        &["`data.target = \"en\"` in --set", "another ending than data.source"],
    );
}

#[test]
fn an_empty_vocabulary() {
    let sandbox = Sandbox::with_captions(8);
    sandbox.refuse(
        &format!("{TRAIN} --set data.min_frequency=1000"),
        &[
            "the vocabulary would be empty: nothing in the 8 lines of training text occurs at least 1000 times",
            "--set data.min_frequency=1 takes every word\n",
        ],
    );
}

#[test]
fn a_run_that_exists() {
    let sandbox = Sandbox::with_run();
    sandbox.refuse(
        TRAIN,
        &["run already has a run in it. `", " train --resume run` resumes it; --out DIR takes another folder\n"],
    );
    sandbox.refuse("train --preset tiny --data data --out data --device cpu", &["data already has files in it"]);
    sandbox.refuse(
        "train --preset tiny --data data --out data/train.de --device cpu",
        &["data/train.de is not a folder. --out DIR takes another name\n"],
    );
    sandbox.refuse(
        "data captions --pairs 8 --out data",
        &["--out data: the folder is not empty; nothing was written. Name another folder"],
    );
}

#[test]
fn folders_that_are_no_runs() {
    let sandbox = Sandbox::with_captions(8);
    let expected = "; expected the folder of a run. Training creates one under the name given by --out\n";
    for command in ["translate", "train --resume"] {
        sandbox.refuse(&format!("{command} data"), &["data has no config.toml", expected]);
        sandbox.refuse(&format!("{command} nowhere"), &["nowhere is not a folder", expected]);
    }
}

/// The mean over the epochs that were left was another one, and nothing said so.
#[test]
fn a_run_without_an_epoch_that_it_averages_over() {
    let sandbox = Sandbox::with_captions(40);
    sandbox.succeed(&format!("{TRAIN} --set train.epochs=3 --set train.average_epochs=3"));
    let resume = "train --resume run --device cpu --set train.epochs=4";
    let file = sandbox.path("run/epoch-2.safetensors");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    sandbox.refuse(resume, &["run/epoch-2.safetensors"]);
    fs::remove_file(&file).unwrap();
    sandbox.refuse(resume, &["run has no epoch-2.safetensors; train.average_epochs needs it: restore the file"]);
    fs::write(&file, &whole).unwrap();
    sandbox.succeed(resume);
}

/// What the links of a run from elsewhere lead to is neither read nor changed.
#[test]
#[cfg(unix)]
fn a_run_with_links_in_it() {
    let sandbox = Sandbox::with_captions(40);
    sandbox.succeed(&format!("{TRAIN} --set train.epochs=1 --set train.average_epochs=2"));
    let resume = "train --resume run --device cpu --set train.epochs=2";
    let outside = sandbox.path("outside");
    for file in [
        "config.toml",
        "tokenizer.de.json",
        "tokenizer.en.json",
        "metrics.jsonl",
        "last.safetensors",
        "model.safetensors",
        "epoch-1.safetensors",
        "train.lock",
    ] {
        let here = sandbox.path(&format!("run/{file}"));
        fs::rename(&here, &outside).unwrap();
        std::os::unix::fs::symlink(&outside, &here).unwrap();
        let refused = format!("run/{file} is a link to another file; expected a file of the run's own. ");
        sandbox.refuse(resume, &[&refused]);
        if file.starts_with("tokenizer") {
            sandbox.refuse("dump run --batch none --out dump --device cpu", &[&refused]);
        }
        fs::rename(&outside, &here).unwrap();
    }
    // These two are written in place.
    for file in ["metrics.jsonl", "train.lock"] {
        fs::hard_link(sandbox.path(&format!("run/{file}")), &outside).unwrap();
        sandbox.refuse(resume, &[&format!("run/{file} is a file with another name elsewhere (a hard link); ")]);
        fs::remove_file(&outside).unwrap();
    }
    // Temporary files once had names that could be foreseen.
    sandbox.write("outside", "mine");
    for file in ["last.safetensors", "model.safetensors", "config.toml"] {
        std::os::unix::fs::symlink(&outside, sandbox.path(&format!("run/{file}.tmp"))).unwrap();
    }
    // The folder itself may be a link.
    std::os::unix::fs::symlink(sandbox.path("run"), sandbox.path("same")).unwrap();
    sandbox.succeed(&resume.replace("run", "same"));
    assert_eq!(sandbox.read("outside"), b"mine");
}

#[test]
fn damaged_and_truncated_checkpoints() {
    let sandbox = Sandbox::with_run();
    sandbox.write("input", "Ein Hund.\n");
    for (file, command) in [
        ("model.safetensors", "translate run --device cpu"),
        ("model.safetensors", "evaluate run --src data/val.de --ref data/val.en --device cpu"),
        ("last.safetensors", "train --resume run --device cpu"),
    ] {
        let name = format!("run/{file}");
        let whole = sandbox.read(&name);
        let mut flipped = whole.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        for damaged in [&flipped[..], &whole[..middle], &whole[..4], &[]] {
            sandbox.write(&name, damaged);
            let message = format!("{name} is damaged (");
            let remedy = "); copy it again from where it came from, or train again";
            sandbox.refuse_command(sandbox.wgrad(command, Some("input")), &[&message, remedy]);
        }
        fs::remove_file(sandbox.path(&name)).unwrap();
        let flag =
            if file == "last.safetensors" { "--out DIR names it\n" } else { " train --resume run` resumes it; --set " };
        sandbox.refuse(command, &[&format!("run has no {file}; the run "), flag]);
        sandbox.write(&name, whole);
    }
}

#[test]
fn a_score_that_nobody_computes() {
    let sandbox = Sandbox::with_run();
    let command = "evaluate run --src data/val.de --ref data/val.en --device cpu";
    sandbox.refuse(&format!("{command} --tokenize intl"), &["'intl'", "expected one of 13a, zh, char, none"]);
}

/// Whoever hands over a run hands over its tokenizers. Each of these made the library panic, abort or never end.
#[test]
fn tokenizers_made_to_hurt() {
    let sandbox = Sandbox::with_run();
    let whole = String::from_utf8(sandbox.read("run/tokenizer.de.json")).unwrap();
    let nested = "{\"type\":\"Sequence\",\"normalizers\":[".repeat(50_000) + &"]}".repeat(50_000);
    let truncation = r#"{"direction":"Right","max_length":4,"strategy":"LongestFirst","stride":4}"#;
    let padding = concat!(
        r#"{"strategy":{"Fixed":1099511627776},"direction":"Right","pad_to_multiple_of":null,"#,
        r#""pad_id":0,"pad_type_id":0,"pad_token":""}"#
    );
    for (from, to, parts) in [
        ("\"padding\": null", format!("\"padding\": {nested}"), ["recursion limit exceeded at line ", ""]),
        ("\"padding\": null", format!("\"padding\": {padding}"), ["padding is {", "expected null"]),
        ("\"truncation\": null", format!("\"truncation\": {truncation}"), ["truncation is {", "expected null"]),
        (r"\\s+", r"(\\s+)+$".into(), ["pattern.Regex is ", "expected "]),
        ("\"unk_token\": \"<unk>\"", "\"unk_token\": \"x\"".into(), ["model.unk_token is \"x\"", "expected \"<unk>\""]),
    ] {
        assert!(whole.contains(from), "{from}");
        sandbox.write("run/tokenizer.de.json", whole.replacen(from, &to, 1));
        for command in ["translate run --device cpu", "train --resume run --device cpu"] {
            sandbox.refuse(
                command,
                &["run/tokenizer.de.json is not a tokenizer of this program: ", parts[0], parts[1], "restore the file"],
            );
        }
    }
}

#[test]
fn a_tokenizer_of_another_model() {
    let sandbox = Sandbox::with_run();
    sandbox.succeed("train --preset tiny --data data --out smaller --device cpu --set data.target_vocabulary=20");
    sandbox.write("run/tokenizer.en.json", sandbox.read("smaller/tokenizer.en.json"));
    for (command, checkpoint) in
        [("translate run --device cpu", "model.safetensors"), ("train --resume run --device cpu", "last.safetensors")]
    {
        let found =
            format!("run/tokenizer.en.json has 20 tokens but the model in run/{checkpoint} was trained with 64");
        sandbox.refuse(command, &[&found, "Restore the one that training wrote, or train again"]);
    }
    sandbox.write("run/tokenizer.en.json", "{}");
    sandbox.refuse("translate run --device cpu", &["run/tokenizer.en.json is not a tokenizer", "restore the file"]);
}

#[test]
fn text_and_tokenizers_that_changed_since_the_run_began() {
    let sandbox = Sandbox::with_run();
    sandbox.succeed("train --preset tiny --data data --out lower --device cpu --set data.lowercase=true");
    let [train, val] = ["train.de", "val.en"].map(|file| sandbox.read(&format!("data/{file}")));
    let swap_lines = |text: &[u8]| {
        let mut lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
        lines.swap(0, 1);
        lines.concat()
    };
    let tokenizer = sandbox.read("run/tokenizer.de.json");
    let advice = " changed since the run in run began: it would go on with another text. Restore what changed, or \
                  train again in another folder. --out DIR takes another folder\n";
    let command = "train --resume run --device cpu";
    sandbox.write("data/train.de", swap_lines(&train));
    sandbox.refuse(command, &["data/train.de changed", advice]);
    sandbox.write("data/val.en", swap_lines(&val));
    let tokenizer_of_another = sandbox.read("lower/tokenizer.de.json");
    sandbox.write("run/tokenizer.de.json", tokenizer_of_another);
    sandbox.refuse(command, &["run/tokenizer.de.json, ", "data/train.de, ", "data/val.en changed", advice]);
    sandbox.write("data/train.de", &train);
    sandbox.write("data/val.en", &val);
    sandbox.refuse(command, &["error: run/tokenizer.de.json changed"]);
    sandbox.write("run/tokenizer.de.json", tokenizer);
    // Other line endings are no other text.
    sandbox.write("data/train.de", String::from_utf8(train).unwrap().replace('\n', "\r\n"));
    sandbox.succeed(command);
    // What a person writes into config.toml is no other way to change the run; what may change may change there too.
    let config = String::from_utf8(sandbox.read("run/config.toml")).unwrap();
    sandbox.write("run/config.toml", config.replace("\nlearning_rate = ", "\nlearning_rate = 1"));
    sandbox.refuse(command, &["`train.learning_rate = ", " when the run in run began, and `train.learning_rate = 1"]);
    sandbox.write("run/config.toml", config.replace("\nlog_every = ", "\nlog_every = 1"));
    sandbox.succeed(command);
    fs::rename(sandbox.path("data"), sandbox.path("moved")).unwrap();
    sandbox.refuse(command, &["error: the text of run is no longer in ", "/data: say where it is with --data DIR"]);
    sandbox.write("moved/train.de", swap_lines(&sandbox.read("moved/train.de")));
    sandbox.refuse(&format!("{command} --data moved"), &["/moved/train.de changed", advice]);
    assert!(!String::from_utf8(sandbox.read("run/config.toml")).unwrap().contains("moved"));
}

#[test]
fn an_unknown_device() {
    let sandbox = Sandbox::with_captions(8);
    let devices: serde_json::Value = serde_json::from_str(&sandbox.succeed("devices --json")).unwrap();
    let adapters = devices["adapters"].as_array().unwrap();
    let error = sandbox.refuse(
        &TRAIN.replace("cpu", "voodoo2"),
        match adapters.is_empty() {
            true => &["no graphics adapter was found"],
            false => &["no device is called `voodoo2`. Present: ", "Choose one with --device NAME"],
        },
    );
    for adapter in adapters {
        let [name, backend] = ["name", "backend"].map(|key| adapter[key].as_str().unwrap());
        assert!(error.contains(&format!("`{name} ({backend})`")) && error.contains("`cpu`"), "{error}");
    }
    assert!(!sandbox.path("run").exists());
}

/// The loader of Vulkan is told of no driver, as on a machine that has none.
#[test]
#[cfg(target_os = "linux")]
fn no_adapter() {
    let sandbox = Sandbox::with_captions(8);
    let without_drivers = |arguments: &str| {
        let mut command = sandbox.wgrad(arguments, None);
        for variable in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
            command.env(variable, "/nonexistent");
        }
        command.env_remove("VK_ADD_DRIVER_FILES");
        command
    };
    sandbox.refuse_command(
        without_drivers(&TRAIN.replace("cpu", "llvmpipe")),
        &[
            "no graphics adapter was found",
            "tests/install_vulkan.sh",
            "sudo apt-get install libvulkan1 mesa-vulkan-drivers",
            "--device cpu",
        ],
    );
    let output = without_drivers(&TRAIN.replace("cpu", "auto")).output().unwrap();
    assert!(
        output.status.success()
            && stderr(&output).contains("device    cpu (")
            && stderr(&output).contains("there is no GPU"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn what_no_configuration_has() {
    let sandbox = Sandbox::with_captions(8);
    sandbox.write("mine.toml", "[train]\nlearning_rat = 0.1\n");
    sandbox.write("syntax.toml", "[train]\nepochs 3\n");
    for (arguments, message) in [
        ("--config mine.toml", "unknown key `train.learning_rat` in mine.toml: did you mean `train.learning_rate`?"),
        ("--config syntax.toml", "cannot read syntax.toml: TOML parse error at line 2"),
        ("--config nowhere.toml", "--config nowhere.toml: No such file"),
        ("--set train.epoch=3", "unknown key `train.epoch` in --set: did you mean `train.epochs`?"),
        (
            "--set train.epochs=three",
            "`train.epochs = \"three\"` in --set: expected a whole number from 1 to 4294967295",
        ),
        ("--set model.dropout=1.5", "`model.dropout = 1.5` in --set: expected a number from 0 to below 1"),
        (
            "--set train.epochs",
            "`train.epochs` in --set sets nothing: expected KEY=VALUE, e.g. train.learning_rate=3e-4",
        ),
        (
            "--preset rnn --set model.kind=transformer",
            ", e.g. course-full-transformer. --preset course-full-transformer takes",
        ),
        (
            "--preset tine",
            "there is no preset `tine`: did you mean `tiny`? The presets are bahdanau, captions, course-",
        ),
    ] {
        sandbox.refuse(&format!("train --data data --out run {arguments}"), &[message]);
        assert!(!sandbox.path("run").exists());
    }
}

#[test]
fn flags_that_contradict_each_other() {
    let sandbox = Sandbox::with_run();
    for flag in ["--preset tiny", "--out other", "--config run/config.toml", "--print-config"] {
        let name = flag.split(' ').next().unwrap();
        sandbox.refuse(
            &format!("train --resume run {flag}"),
            &["the argument '--resume <DIR>' cannot be used with", name],
        );
    }
    sandbox.refuse(
        "train --resume run --device cpu --set train.seed=3",
        &[
            "`train.seed` cannot change in the middle of a run: only train.epochs, train.patience, ",
            ". With --resume, --set takes only those; --out DIR begins another run\n",
        ],
    );
    sandbox.refuse("translate run --beam -1", &["invalid value '-1' for '--beam <N>': -1 is not in 1..=64"]);
    sandbox.refuse("train --device=", &["a value is required for '--device <NAME>'"]);
    sandbox.refuse("train --epochs 3", &["unexpected argument '--epochs'"]);
}

/// The file of a batch for `wgrad dump`.
fn batch(sandbox: &Sandbox, name: &str, source: &[i64], target: &[i64]) {
    let bytes = |ids: &[i64]| ids.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>();
    let sides = [("src", bytes(source), source.len()), ("tgt", bytes(target), target.len())];
    let views = sides.iter().map(|(name, bytes, len)| {
        (*name, safetensors::tensor::TensorView::new(safetensors::Dtype::I64, vec![1, *len], bytes).expect("a row"))
    });
    sandbox.write(name, safetensors::serialize(views, None).expect("two small tensors"));
}

#[test]
fn models_and_batches_that_do_not_fit() {
    let sandbox = Sandbox::new();
    sandbox.refuse(
        "init --preset course-full-transformer --set model.heads=3 --src-vocab 9 --tgt-vocab 9 --out m",
        &["`model.heads = 3` contradicts model.hidden = 128: the heads share the hidden elements out"],
    );
    sandbox.refuse(
        "init --preset translator --src-vocab 9 --tgt-vocab 8 --out m",
        &["--src-vocab 9 and --tgt-vocab 8: expected the same number"],
    );
    sandbox.succeed("init --preset course-transformer --set model.hidden=4 --src-vocab 9 --tgt-vocab 8 --out m");
    sandbox.refuse("init --preset tiny --src-vocab 9 --tgt-vocab 8 --out m", &["m already has files in it"]);
    let good = [2, 5, 3, 1];
    batch(&sandbox, "good", &good, &good);
    batch(&sandbox, "large", &[2, 9, 3, 1], &good);
    batch(&sandbox, "negative", &good, &[2, -1, 3, 1]);
    batch(&sandbox, "hole", &[2, 1, 3, 1], &good);
    batch(&sandbox, "long", &[5; 21], &good);
    batch(&sandbox, "empty", &good, &[1, 1, 1, 1]);
    sandbox.write("words", "a b c");
    for (file, message) in [
        ("large", "`src` row 0 column 1 is 9: expected an id from 0 to 8"),
        ("negative", "`tgt` row 0 column 1 is -1: expected an id from 0 to 7"),
        ("hole", "`src` row 0 has padding (id 1) before its token in column 2"),
        ("long", "`src` has 21 columns: expected at most 20"),
        ("empty", "every target of the batch is empty"),
        ("words", "words is damaged"),
        ("nowhere", "cannot read nowhere"),
        ("m/model.safetensors", "m/model.safetensors is not a batch: src is missing; expected I64 [B, T]"),
    ] {
        sandbox.refuse(&format!("dump m --batch {file} --out out --device cpu"), &[message]);
    }
    let told = sandbox.succeed("dump m --batch good --out out --device cpu");
    assert!(told.starts_with("out: ") && told.contains(" tensors, loss "), "{told}");
    // Every tensor that is missing, superfluous or misshapen is listed.
    sandbox.succeed("init --preset tiny --src-vocab 9 --tgt-vocab 8 --out other");
    sandbox.write("m/config.toml", sandbox.read("other/config.toml"));
    sandbox.refuse(
        "dump m --batch good --out out2 --device cpu",
        &[
            "does not hold the parameters of this model",
            "encoder.rnn.weight_ih_l0 is missing; expected F32 [64, 8]",
            "attention.q.weight is F32 [192, 4]; expected no tensor of this name",
        ],
    );
}

#[test]
fn drawings_and_beams_that_make_no_sense() {
    let sandbox = Sandbox::new();
    sandbox.refuse("graph --preset tine", &["there is no preset `tine`: did you mean `tiny`?"]);
    sandbox.refuse("graph --preset tiny --steps 3", &["--steps 3: only the textbook network has a number of steps"]);
    sandbox.refuse("graph --steps 0", &["invalid value '0' for '--steps <N>': 0 is not in 1..=100"]);
    sandbox.refuse("graph --format png", &["possible values: svg, dot, text"]);
    sandbox.refuse("graph --out nowhere/graph.svg", &["cannot write nowhere/graph.svg"]);
    sandbox.refuse(
        "graph --out graph.png",
        &["--out graph.png: no format is called png; expected a name that ends in .svg, "],
    );
    sandbox.refuse("translate run --beam 65", &["65 is not in 1..=64"]);
    sandbox.refuse("translate run --length-penalty -1", &["expected a number from 0 to 10"]);
    sandbox.refuse("translate run --length-penalty=x", &["expected a number from 0 to 10"]);
    let drawn = sandbox.succeed("graph --preset course-transformer --format dot");
    assert!(drawn.starts_with("digraph") && drawn.contains("attention.q.weight"), "{drawn}");
}
