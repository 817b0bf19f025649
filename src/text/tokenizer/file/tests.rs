use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::tests::{KINDS, TEXT, lines, settings, trained};
use super::super::{EOS, PAD, SOS, Tokenizer, TokenizerKind, TokenizerSettings};
use super::MOST_TOKENS;
use crate::text::random::SplitMix64;
use std::path::Path;

fn load(json: &str) -> Result<Tokenizer, String> {
    Tokenizer::from_json(json.as_bytes(), Path::new("run/de.json")).map_err(|error| error.to_string())
}

fn parsed(kind: TokenizerKind) -> Value {
    serde_json::from_str(&trained(kind).to_json()).unwrap()
}

#[track_caller]
fn refused(value: &Value, parts: &[&str]) {
    let reason = load(&value.to_string()).unwrap_err();
    for part in
        parts.iter().chain(&["run/de.json is not a tokenizer of this program: ", "; train again, or restore the file"])
    {
        assert!(reason.contains(part), "`{part}` is not in\n{reason}");
    }
}

#[test]
fn what_was_written_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokenizer.json");
    for kind in KINDS {
        for lowercase in [false, true] {
            let settings = TokenizerSettings { lowercase, ..settings(kind) };
            let tokenizer = Tokenizer::train(&lines(&TEXT), &settings, &mut ()).unwrap();
            fs::write(&path, tokenizer.to_json()).unwrap();
            let loaded = Tokenizer::load(&path).unwrap();
            assert_eq!(loaded.to_json(), tokenizer.to_json());
            // The library's own reader takes it too, and means the same by it.
            let plain = tokenizers::Tokenizer::from_file(&path).unwrap();
            assert_eq!(plain.to_string(true).unwrap(), tokenizer.to_json());
            for line in TEXT.into_iter().chain(["an unseen 漢 xylophone \u{2581}"]) {
                let ids = tokenizer.encode(line);
                assert_eq!(loaded.encode(line), ids);
                assert_eq!(plain.encode(line, false).unwrap().get_ids(), ids);
            }
        }
    }
    let missing = Tokenizer::load(directory.path().join("none")).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read "), "{missing}");
}

/// As wgrad wrote them before a `▁` of the text had an escape: their ids mean what they meant, and their hashes in a
/// checkpoint hold.
#[test]
fn a_file_from_before_the_escape() {
    let head = |lowercase: &str| {
        let special = |id: usize, content: &str| {
            format!(
                r#"{{"id":{id},"content":"{content}","single_word":false,"lstrip":false,"rstrip":false,
                "normalized":false,"special":true}}"#
            )
        };
        let special = [special(0, "<unk>"), special(1, "<pad>"), special(2, "<sos>"), special(3, "<eos>")].join(",");
        format!(
            r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{special}],
            "normalizer":{{"type":"Sequence","normalizers":[
            {{"type":"NFC"}},{{"type":"Replace","pattern":{{"Regex":"\\s+"}},"content":" "}},
            {{"type":"Strip","strip_left":true,"strip_right":true}}{lowercase}]}},
            "pre_tokenizer":{{"type":"Sequence","pretokenizers":[
            {{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}},
            {{"type":"Punctuation","behavior":"Isolated"}}]}},"post_processor":null,
            "decoder":{{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}},"model":"#
        )
    };
    let word = r#"{"type":"WordLevel","vocab":{"<unk>":0,"<pad>":1,"<sos>":2,"<eos>":3,"▁a":4,"▁dog":5,".":6},
        "unk_token":"<unk>"}}"#;
    let bpe = r#"{"type":"BPE","dropout":null,"unk_token":"<unk>","continuing_subword_prefix":null,
        "end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":false,
        "vocab":{"<unk>":0,"<pad>":1,"<sos>":2,"<eos>":3,".":4,"a":5,"d":6,"g":7,"o":8,"▁":9,"▁a":10},
        "merges":[["▁","a"]]}}"#;
    for (file, ids) in [
        (head("") + word, vec![4, 5, 6]),
        (head(r#",{"type":"Lowercase"}"#) + word, vec![4, 5, 6]),
        (head("") + bpe, vec![10, 9, 6, 8, 7, 4]),
    ] {
        let tokenizer = load(&file).unwrap();
        assert_eq!(tokenizer.encode("a dog."), ids);
        assert_eq!(tokenizer.decode(&ids), "a dog.");
        assert_eq!(tokenizer.encode("a▁dog."), ids, "as it was");
        let compact = |json: &str| serde_json::from_str::<Value>(json).unwrap();
        assert_eq!(compact(&tokenizer.to_json()), compact(&file));
        let plain: tokenizers::Tokenizer = file.parse().unwrap();
        assert_eq!(plain.to_string(true).unwrap(), tokenizer.to_json());
    }
}

#[test]
fn what_wgrad_does_not_write_is_named() {
    for kind in KINDS {
        let mut changes: Vec<(&str, Value, &[&str])> = vec![
            ("/version", json!("2.0"), &["version is \"2.0\"; expected \"1.0\""]),
            (
                "/truncation",
                json!({"max_length": 4, "stride": 4}),
                &["truncation is {\"max_length\":4,\"stride\":4}; expected null"],
            ),
            ("/padding", json!({"strategy": {"Fixed": 1_u64 << 60}}), &["padding is {\"strategy\"", "; expected null"]),
            ("/post_processor", json!({"type": "TemplateProcessing"}), &["post_processor is ", "; expected null"]),
            ("/added_tokens/2/content", json!("<bos>"), &["added_tokens[2].content is \"<bos>\"; expected \"<sos>\""]),
            ("/added_tokens/3", json!({"id": 3}), &["added_tokens[3].content is null; expected \"<eos>\""]),
            (
                "/normalizer/normalizers/1/pattern/Regex",
                json!("(a+)+$"),
                &["normalizer.normalizers[1].pattern.Regex is \"(a+)+$\"; expected \"\\\\"],
            ),
            (
                "/normalizer/normalizers/0",
                json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
                &["normalizer.normalizers[0].precompiled_charsmap is \"AAAA\"; expected no such key"],
            ),
            ("/normalizer", Value::Null, &["normalizer is null; expected {"]),
            ("/decoder/type", json!("CTC"), &["decoder", "expected"]),
            ("/model/type", json!("Unigram"), &["model.type is \"Unigram\"; expected \"WordLevel\" or \"BPE\""]),
            ("/model/unk_token", json!("[UNK]"), &["model.unk_token is \"[UNK]\"; expected \"<unk>\""]),
            ("/model/vocab/<eos>", json!(4), &["model.vocab[", "expected an id of its own"]),
            (
                "/model/vocab/<eos>",
                json!(4_000_000_000_u32),
                &["model.vocab[\"<eos>\"] is 4000000000; expected an id below "],
            ),
            ("/model/vocab/<eos>", json!(-3), &["model.vocab[\"<eos>\"]: invalid value: integer `-3`, expected u32"]),
            ("/model/vocab", json!({"a": 0}), &["model.vocab: token 0 is \"a\"; expected \"<unk>\""]),
            ("/model/vocab", json!([]), &["expected tokens and their ids"]),
        ];
        if kind == TokenizerKind::Bpe {
            changes.extend::<[(&str, Value, &[&str]); 7]>([
                ("/model/dropout", json!(0.5), &["model.dropout is 0.5; expected null"]),
                (
                    "/model/continuing_subword_prefix",
                    json!("é"),
                    &["model.continuing_subword_prefix is \"é\"; expected null"],
                ),
                ("/model/byte_fallback", json!(true), &["model.byte_fallback is true; expected false"]),
                ("/model/merges/0/1", json!("漢"), &["model.merges[0] has or makes \"漢\""]),
                ("/model/merges/1", json!(["<eos>", "m"]), &["model.merges[1] has or makes \"<eos>\""]),
                ("/model/merges/0", json!(["a", "b", "c"]), &["model.merges[0]: expected two tokens: "]),
                ("/model/merges", Value::Null, &["model.merges is missing"]),
            ]);
        }
        for (pointer, value, parts) in changes {
            let mut changed = parsed(kind);
            *changed.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} of {kind:?}")) = value;
            refused(&changed, parts);
        }
        // Keys that are not there, are not known, or are there twice.
        let whole = trained(kind).to_json();
        for (from, to, part) in [
            ("\"version\": \"1.0\",", "", "missing field `version`"),
            ("\"version\"", "\"version\": \"1.0\", \"version\"", "duplicate field `version`"),
            ("\"version\"", "\"stride\": 1, \"version\"", "unknown field `stride`"),
            ("\"<pad>\": 1,", "\"<pad>\": 1, \"<pad>\": 1,", "expected every token once"),
            ("\"<pad>\": 1,", "\"<p d>\": 1,", "expected text without white space"),
            ("\"<pad>\": 1,", "\"\": 1,", "expected text without white space"),
            ("\"id\": 2,", "\"id\": 2, \"id\": 2,", "\"id\" is there twice; expected every key once"),
        ] {
            assert!(whole.contains(from), "{from}");
            let reason = load(&whole.replacen(from, to, 1)).unwrap_err();
            assert!(reason.contains(part), "`{part}` is not in\n{reason}");
        }
        let first = parsed(kind)["model"]["merges"][0].clone();
        if kind == TokenizerKind::Bpe {
            let mut twice = parsed(kind);
            twice["model"]["merges"].as_array_mut().unwrap().push(first);
            refused(&twice, &["is there twice; expected every pair once"]);
        }
    }
    let mut with_merges = parsed(TokenizerKind::Word);
    with_merges["model"]["merges"] = json!([]);
    refused(&with_merges, &["model.merges is there; expected none with a model of whole words"]);
}

#[test]
fn depth_and_size_have_a_limit() {
    let whole = trained(TokenizerKind::Bpe).to_json();
    for (open, close) in [("[", "]"), ("{\"type\":\"Sequence\",\"normalizers\":[", "]}")] {
        for depth in [120, 127, 200, 100_000] {
            let nested = open.repeat(depth) + &close.repeat(depth);
            let reason = load(&whole.replacen("\"padding\": null", &format!("\"padding\": {nested}"), 1)).unwrap_err();
            assert!(reason.contains("recursion limit exceeded") || reason.contains("expected"), "{reason}");
            assert!(load(&nested).is_err());
        }
    }
    let many = format!("\"padding\": [{}1]", "1,".repeat(1_000_000));
    let reason = load(&whole.replacen("\"padding\": null", &many, 1)).unwrap_err();
    assert!(reason.contains("expected no more than 200 values here"), "{reason}");
    let tokens: String = (0..=MOST_TOKENS).map(|id| format!("\"{id}\":{id},")).collect();
    let reason = load(&whole.replacen("\"<unk>\": 0,", &tokens, 1)).unwrap_err();
    assert!(reason.contains("model.vocab: expected no more than 1048576 tokens"), "{reason}");
    // What is long is not repeated at length.
    let long = "x".repeat(1_000_000);
    let found = whole.rfind("\"<pad>\"").unwrap();
    for token in [format!("\"{long}\""), "7".repeat(1_000_000), format!("\"{long}")] {
        let reason = load(&format!("{}{token}{}", &whole[..found], &whole[found + 7..])).unwrap_err();
        assert!(reason.len() < 1000, "{}", reason.len());
    }
    let invalid = Tokenizer::from_json(b"{\"version\": \"\xff\"}", Path::new("de.json")).unwrap_err().to_string();
    assert!(invalid.contains("it is not UTF-8 from byte 13"), "{invalid}");
}

/// Files that were cut, spoilt or made to hurt: each is refused, or is a tokenizer that encodes and decodes, all within
/// a time that no file of a few kilobytes needs.
#[test]
fn mutated_files_do_no_harm() {
    const MUTANTS: usize = 1500;
    let text =
        lines(&["A man, who is 'old', sits.", "", " \u{2581}\u{2582} an\u{308} 漢 <eos>\t", "0123456789 manmanmanman"]);
    for kind in KINDS {
        let whole = trained(kind).to_json();
        let (sender, receiver) = mpsc::channel();
        let (job, jobs) = mpsc::channel::<Vec<u8>>();
        let text = text.clone();
        // A mutant that hangs must fail the test, so that the work is done by another thread than the one that waits.
        let worker = thread::spawn(move || {
            for mutant in jobs {
                let accepted = Tokenizer::from_json(&mutant, Path::new("mutant.json")).map(|tokenizer| {
                    let size = tokenizer.vocabulary_size() as u32;
                    let ids: Vec<u32> = text.iter().flat_map(|line| tokenizer.encode(line)).collect();
                    assert!(ids.iter().all(|&id| id < size && ![PAD, SOS, EOS].contains(&id)), "{ids:?}");
                    let all: Vec<u32> = (0..size + 2).chain([u32::MAX]).collect();
                    assert!(!tokenizer.decode(&all).contains('\n'));
                    assert!(!tokenizer.decode(&ids).contains('\n'));
                    let json = tokenizer.to_json();
                    let again = Tokenizer::from_json(json.as_bytes(), Path::new("again.json")).unwrap();
                    assert_eq!(again.to_json(), json);
                });
                sender.send(accepted.is_ok()).unwrap();
            }
        });
        let mut accepted = 0;
        let mut random = SplitMix64::new(kind as u64);
        for index in 0..MUTANTS {
            let mutant = mutate(&whole, &mut random);
            job.send(mutant.clone()).unwrap();
            let answer = receiver.recv_timeout(Duration::from_secs(10));
            let shown = || String::from_utf8_lossy(&mutant).into_owned();
            accepted +=
                usize::from(answer.unwrap_or_else(|error| panic!("{kind:?}, mutant {index}: {error}: {}", shown())));
        }
        drop(job);
        worker.join().unwrap();
        // Both happen: another letter in a token is a tokenizer as well.
        assert!(accepted > MUTANTS / 50 && accepted < MUTANTS / 2, "{accepted} of {MUTANTS}");
    }
}

/// The file with one to three changes: bytes cut, flipped or doubled, or values of other types, sizes and depths in
/// other places.
fn mutate(whole: &str, random: &mut SplitMix64) -> Vec<u8> {
    let mut bytes = whole.as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(10) {
            0 => bytes.truncate(at.max(1)),
            1 => bytes[at] ^= 1 << random.below(8),
            2 => {
                let end = (at + 1 + random.below(40)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            3 if bytes.len() > 1 => {
                let end = (at + 1 + random.below(40)).min(bytes.len() - 1);
                bytes.drain(at.min(end)..end);
            }
            way => {
                let Ok(mut value) = serde_json::from_slice::<Value>(&bytes) else { continue };
                match value.pointer_mut("/model/vocab").and_then(Value::as_object_mut) {
                    Some(vocabulary) if way > 7 && vocabulary.len() > 1 => exchange(vocabulary, random),
                    _ => graft(&mut value, random),
                }
                bytes = value.to_string().into_bytes();
            }
        }
    }
    bytes
}

const KINDS_OF_THE_LIBRARY: [&str; 5] = ["Precompiled", "ByteLevel", "Unigram", "CTC", "BPE"];

/// Gives two tokens each other's ids, and one of them another name.
fn exchange(vocabulary: &mut Map<String, Value>, random: &mut SplitMix64) {
    let [one, other] = [0, 1].map(|_| vocabulary.keys().nth(random.below(vocabulary.len())).unwrap().clone());
    let id = vocabulary[&one].take();
    vocabulary[&one] = std::mem::replace(&mut vocabulary[&other], id);
    if random.chance(50) {
        let id = vocabulary.remove(&one).unwrap();
        let end = random
            .pick(&["\u{308}", "\u{2581}", "\u{2582}\u{2583}", "\u{0}", "\u{200b}", "<eos>", "\n", "\u{85}"])
            .unwrap();
        vocabulary.insert(one + end, id);
    }
}

/// Puts something else in some place of a JSON value, or takes it away.
fn graft(value: &mut Value, random: &mut SplitMix64) {
    let mut place = value;
    loop {
        let children = match place {
            Value::Object(object) => object.len(),
            Value::Array(list) => list.len(),
            _ => 0,
        };
        if children == 0 || random.chance(15) {
            break;
        }
        let chosen = random.below(children);
        place = match place {
            Value::Object(object) if random.chance(10) => {
                let key = object.keys().nth(chosen).unwrap().clone();
                let taken = object.remove(&key).unwrap();
                if random.chance(50) {
                    object.insert(format!("{key}x"), taken);
                }
                return;
            }
            Value::Object(object) => object.values_mut().nth(chosen).unwrap(),
            Value::Array(list) => &mut list[chosen],
            _ => unreachable!("it has children"),
        };
    }
    *place = match random.below(14) {
        0 => Value::Null,
        1 => json!(!random.chance(50)),
        2 => json!(random.below(12)),
        3 => json!(-1),
        4 => json!(u64::MAX),
        5 => json!(0.5),
        6 => json!(1e300),
        7 => json!(""),
        8 => json!("é"),
        9 => json!("<eos>"),
        10 => {
            json!({"type": random.pick(&KINDS_OF_THE_LIBRARY), "precompiled_charsmap": "AAAA"})
        }
        11 => json!({"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 1}),
        12 => {
            json!({
                "strategy": {"Fixed": 1_u64 << 40}, "direction": "Right",
                "pad_id": 0, "pad_type_id": 0, "pad_token": "",
            })
        }
        _ => (0..random.below(200)).fold(place.take(), |inner, depth| match depth % 2 {
            0 => json!([inner]),
            _ => json!({"type": "Sequence", "normalizers": inner}),
        }),
    };
}
