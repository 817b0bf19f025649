//! Translating from the command line: how long a translation may become, lines of any length, and files that are not
//! what they should be.

#[allow(dead_code, reason = "other tests use the rest")]
mod cli;
#[path = "cli/refuse.rs"]
mod refuse;

use cli::{Sandbox, stderr};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use wgrad::train::metrics::{Record, read_records};

const TRAIN: &str = "train --preset tiny --data data --out run --device cpu";

impl Sandbox {
    /// The lines that `translate run` answers these with, and what it says besides.
    fn translate(&self, flags: &str, lines: &[&str]) -> (Vec<String>, String) {
        self.write("input", lines.join("\n"));
        let command = format!("translate run --device cpu {flags}");
        let output = self.wgrad(&command, Some("input")).output().expect("wgrad runs");
        assert!(output.status.success(), "{}", stderr(&output));
        let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
        (text.lines().map(str::to_owned).collect(), stderr(&output))
    }

    /// With a run of one epoch on captions.
    fn with_run() -> Self {
        let sandbox = Self::with_captions(40);
        sandbox.succeed(&format!("{TRAIN} --set train.epochs=1 --set data.max_tokens=40"));
        sandbox
    }

    /// A safetensors file once more, as another program would write it: without metadata, one tensor changed.
    fn rewrite(&self, from: &str, to: &str, tensor: &str, change: impl Fn(&mut [u8])) {
        let bytes = self.read(from);
        let file = SafeTensors::deserialize(&bytes).expect("safetensors");
        let mut data = file.tensor(tensor).expect("the tensor").data().to_vec();
        change(&mut data);
        let views = file.tensors().into_iter().map(|(name, view)| {
            let bytes = if name == tensor { &data } else { view.data() };
            (name, TensorView::new(Dtype::F32, view.shape().to_vec(), bytes).expect("as before"))
        });
        let views: Vec<_> = views.collect();
        self.write(to, safetensors::serialize(views, None).expect("small tensors"));
    }
}

/// One word a source, forty a target, learnt by heart. What a translation may become was 11 words beside sources as
/// short.
#[test]
fn targets_far_longer_than_their_sources_come_out_whole() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("data")).expect("a new folder");
    let sources = ["hund", "katze", "maus", "pferd"];
    let words: Vec<String> = ('a'..='m').flat_map(|c| [1, 2, 3].map(|n| format!("{c}{}", "x".repeat(n)))).collect();
    let targets = sources.map(|source| format!("{source} {}", words.join(" ")));
    for split in ["train", "val"] {
        sandbox.write(&format!("data/{split}.de"), sources.join("\n"));
        sandbox.write(&format!("data/{split}.en"), targets.join("\n"));
    }
    sandbox.succeed(&format!(
        "{TRAIN} --set data.max_tokens=60 --set data.min_frequency=1 --set model.hidden=32 --set model.embedding=16 \
         --set train.epochs=200 --set train.log_every=100"
    ));
    let records = read_records(&sandbox.path("run/metrics.jsonl")).expect("metrics");
    let mut bleu =
        records.iter().filter_map(|record| if let Record::Epoch(epoch) = record { epoch.bleu } else { None });
    assert!(bleu.next_back() > Some(99.9), "validation's translations are whole");
    let long = sources.join(" ").repeat(3);
    for beam in ["--beam 1", "--beam 5"] {
        let (answers, said) = sandbox.translate(beam, &sources);
        assert_eq!((answers.as_slice(), said.as_str()), (targets.as_slice(), ""));
        let (answers, _) = sandbox.translate(beam, &[sources[2], &long]);
        assert_eq!(answers[0], targets[2], "beside a longer line");
        let (answers, said) = sandbox.translate(&format!("{beam} --max-length 3"), &sources);
        assert!(answers.iter().zip(&targets).all(|(cut, whole)| whole.starts_with(cut)), "{answers:?}");
        assert!(answers.iter().all(|cut| cut.split(' ').count() == 3), "{answers:?}");
        let warning = "warning: the translation of line 1 was cut at its limit; --max-length N allows N tokens; so it \
                       is with 3 lines after it\n";
        assert_eq!(said, warning);
    }
    // A model that does not say what it was trained on has the usual limit, and says that it is not enough.
    sandbox.rewrite("run/model.safetensors", "run/model.safetensors", "decoder.output.bias", |_| ());
    let (answers, said) = sandbox.translate("", &sources[..1]);
    assert!(targets[0].starts_with(&answers[0]) && answers[0].split(' ').count() == 11, "{answers:?}");
    assert!(
        said.contains("the translation of line 1 was cut at its limit; --max-length N allows N tokens\n"),
        "{said}"
    );
    assert_eq!(sandbox.translate("--max-length 50", &sources).0, targets);
    let scored =
        sandbox.succeed("evaluate run --src data/val.de --ref data/val.en --device cpu --json --max-length 50");
    let scored: serde_json::Value = serde_json::from_str(&scored).expect("JSON");
    assert!(scored["bleu"].as_f64() > Some(99.9), "{scored}");
}

#[test]
fn a_line_far_beyond_trainings_is_translated_in_pieces() {
    let sandbox = Sandbox::with_run();
    let captions = String::from_utf8(sandbox.read("data/train.de")).expect("captions");
    let captions: Vec<&str> = captions.lines().collect();
    let long = captions.join(" ");
    let (answers, said) = sandbox.translate("", &[captions[0], &long, captions[1]]);
    let (each, quiet) = sandbox.translate("", &captions);
    let joined: Vec<&str> = each.iter().map(String::as_str).filter(|answer| !answer.is_empty()).collect();
    assert_eq!(answers, [each[0].clone(), joined.join(" "), each[1].clone()]);
    assert!(!quiet.contains("pieces"), "{quiet}");
    let warnings: Vec<&str> = said.lines().filter(|line| line.contains("pieces")).collect();
    assert_eq!(warnings.len(), 1, "{said}");
    assert!(warnings[0].starts_with("warning: line 2 has ") && warnings[0].ends_with("; it is translated in pieces"));
    // A sentence without end, with blanks and without.
    let endless = "Hund ".repeat(3000);
    let (answers, said) = sandbox.translate("--beam 1", &[&endless, &"Hund".repeat(3000), captions[0]]);
    assert_eq!((answers.len(), &answers[2]), (3, &sandbox.translate("--beam 1", &captions[..1]).0[0]));
    let (_, seen) = said.split_once("warning: line 1 has 3000 tokens, where training took ").expect("a warning");
    assert!(seen.contains(" at most; it is translated in pieces\n"), "{said}");
    // One token more than training took is translated as a whole, and said to be unusual.
    let seen: usize = seen.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
    let (_, said) = sandbox.translate("--beam 1", &[&"Hund ".repeat(seen), &"Hund ".repeat(seen + 1)]);
    let warning =
        format!("warning: line 2 has {} tokens, where training took {seen} at most; expect little of", seen + 1);
    assert!(said.contains(&warning) && !said.contains("line 1 has"), "{said}");
}

#[test]
fn numbers_that_are_none_are_refused_by_every_command() {
    let sandbox = Sandbox::with_run();
    let ids: Vec<u8> = [2_i64, 5, 3].iter().flat_map(|id| id.to_le_bytes()).collect();
    let row = || TensorView::new(Dtype::I64, vec![1, 3], &ids).expect("a row");
    sandbox.write("batch", safetensors::serialize([("src", row()), ("tgt", row())], None).expect("two small tensors"));
    let last = |bytes: &mut [u8], value: f32| {
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&value.to_le_bytes());
    };
    let whole = sandbox.read("run/model.safetensors");
    sandbox.rewrite("run/model.safetensors", "run/model.safetensors", "encoder.bridge.0.bias", |b| last(b, f32::NAN));
    for command in [
        "translate run --device cpu",
        "translate run --device cpu --beam 1",
        "evaluate run --src data/val.de --ref data/val.en --device cpu",
        "dump run --batch batch --out dumped --device cpu",
    ] {
        sandbox.refuse(
            command,
            &["run/model.safetensors: element 15 of encoder.bridge.0.bias is NaN; expected finite numbers. Copy the \
               file"],
        );
    }
    sandbox.write("run/model.safetensors", whole);
    let moment = "exp_avg_sq.decoder.output.bias";
    // With its metadata, for training goes on from its state.
    let bytes = sandbox.read("run/last.safetensors");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("safetensors");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let mut data = file.tensor(moment).expect("a moment").data().to_vec();
    last(&mut data, f32::INFINITY);
    let views = file.tensors().into_iter().map(|(name, view)| {
        let bytes = if name == moment { &data } else { view.data() };
        (name, TensorView::new(Dtype::F32, view.shape().to_vec(), bytes).expect("as before"))
    });
    let views: Vec<_> = views.collect();
    sandbox.write("run/last.safetensors", safetensors::serialize(views, header.metadata().clone()).expect("as before"));
    sandbox.refuse("train --resume run --device cpu", &["run/last.safetensors is damaged (its checksum is wrong)"]);
}

/// Words of a tokenizer that changed would be other words of the translation.
#[test]
fn a_tokenizer_that_changed_is_noticed_by_every_command() {
    let sandbox = Sandbox::with_run();
    let ids: Vec<u8> = [2_i64, 5, 3].iter().flat_map(|id| id.to_le_bytes()).collect();
    let row = || TensorView::new(Dtype::I64, vec![1, 3], &ids).expect("a row");
    sandbox.write("batch", safetensors::serialize([("src", row()), ("tgt", row())], None).expect("two small tensors"));
    for language in ["de", "en"] {
        let name = format!("run/tokenizer.{language}.json");
        let whole = sandbox.read(&name);
        let mut flipped = whole.clone();
        // The second letter of a word of the vocabulary: one bit makes another word of it.
        let at = String::from_utf8(whole.clone()).expect("JSON").rfind('▁').expect("a word") + "▁".len() + 1;
        flipped[at] ^= 1;
        sandbox.write(&name, flipped);
        for command in [
            "translate run --device cpu",
            "evaluate run --src data/val.de --ref data/val.en --device cpu",
            "dump run --batch batch --out dumped --device cpu",
            "train --resume run --device cpu",
        ] {
            sandbox.refuse(command, &[&name, "estore"]);
        }
        sandbox.write(&name, whole);
    }
    sandbox.succeed("dump run --batch batch --out dumped --device cpu");
    // It reads ids, and needs none.
    std::fs::remove_file(sandbox.path("run/tokenizer.en.json")).expect("it is there");
    sandbox.succeed("dump run --batch batch --out dumped --device cpu");
}
