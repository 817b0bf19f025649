//! Spaces, good and bad.

use super::*;

fn read(text: &str) -> Result<Space, SpaceError> {
    Space::read(text, "s.toml", &|file| Err(io::Error::new(io::ErrorKind::NotFound, file)))
}

/// A space with these lines below `[tune]`, the fifth line on.
fn tuned(lines: &str) -> Result<Space, SpaceError> {
    read(&format!("preset = \"lstm\"\nobjective = \"perplexity\"\n\n[tune]\n{lines}\n"))
}

#[test]
fn shipped_spaces_can_be_searched() {
    for (name, text) in crate::tune::SPACES {
        let space = read(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for id in 1..40 {
            let proposed = crate::tune::proposal::propose(&space, 1, id, &[]);
            assert!(proposed.unwrap_or_else(|error| panic!("{name}: {error}")).is_some());
        }
        assert!(space.configure(&space.default_values()).unwrap() == space.base, "{name}");
    }
}

#[test]
fn keys_are_read_as_toml_has_them() {
    let text = "train.learning_rate = { from = 1e-4, to = 1, log = true }
        train.batch.sentences = { choices = [8, 16] }
        train.schedule = { choices = [{ kind = \"constant\" }] }
        [tune.model]
        rnn = { choices = [\"lstm\", \"gru\"] }
        layers = { from = 1, to = 3, when = { model.rnn = [\"lstm\"], model.attention = \"dot\" } }";
    let space = tuned(text).unwrap();
    let described: Vec<_> = space.keys.iter().map(|key| format!("{}: {}", key.name, key.describe())).collect();
    assert_eq!(
        described,
        [
            "train.learning_rate: from 0.0001 to 1, logarithmic",
            "train.batch.sentences: 8 or 16",
            "train.schedule: { kind = \"constant\" }",
            "model.rnn: \"lstm\" or \"gru\"",
            "model.layers: from 1 to 3, when model.rnn = \"lstm\", when model.attention = \"dot\"",
        ]
    );
}

#[test]
fn a_bad_space_is_told_with_its_line() {
    for (line, said) in [
        ("model.hiden = { from = 8, to = 64 }", "unknown key `model.hiden`: did you mean `model.hidden`?"),
        ("model.hidden = { from = 64, to = 8 }", "`model.hidden`: from = 64, to = 8: the range is empty"),
        ("model.hidden = { from = 8, to = 8 }", "the range is empty"),
        ("model.hidden = { from = 8.5, to = 64 }", "`model.hidden`: from = 8.5; expected a whole number"),
        ("model.hidden = { from = 8, to = 64, step = 100 }", "step = 100; expected a number above 0, at most the 56"),
        ("model.hidden = { from = 0, to = 64 }", "`model.hidden = 0`: expected a whole number from 1"),
        ("model.dropout = { from = 0.0, to = 0.5, log = true }", "with log = true; expected a number above 0"),
        ("model.dropout = { from = 0.0, to = 1.5 }", "`model.dropout = 1.5`: expected a number from 0 to below 1"),
        ("model.dropout = { from = 0.0, too = 0.5 }", "unknown field `too`: did you mean `to`?"),
        ("model.dropout = 0.3", "`model.dropout`: expected { from = A, to = B }"),
        ("model.rnn = { choices = [] }", "`model.rnn`: expected { from = A, to = B }"),
        ("model.rnn = { choices = [\"lstm\", \"mamba\"] }", "`model.rnn = \"mamba\"`: expected \"rnn\", \"lstm\""),
        ("model.heads = { choices = [2, 4] }", "a seq2seq has no such key"),
        ("data.tokenizer = { choices = [\"bpe\", \"word\"] }", "set `objective = \"bleu\"`"),
        ("data.max_tokens = { from = 10, to = 20 }", "trials that differ in it cannot be compared"),
        ("train.epochs = { from = 10, to = 20 }", "set `epochs` above [tune]"),
        ("model.layers = { from = 1, to = 2, when = { model.rn = \"gru\" } }", "did you mean `model.rnn`?"),
    ] {
        let error = tuned(line).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with("s.toml, line 5: ") && error.contains(said), "{line}: {error}");
    }
    let later =
        "model.layers = { from = 1, to = 2, when = { model.rnn = \"gru\" } }\nmodel.rnn = { choices = [\"gru\"] }";
    let error = tuned(later).unwrap_err().to_string();
    assert!(error.ends_with("`model.layers` depends on `model.rnn`, which must stand above it"), "{error}");
    let never =
        "model.rnn = { choices = [\"gru\"] }\nmodel.layers = { from = 1, to = 2, when = { model.rnn = \"lstm\" } }";
    let error = tuned(never).unwrap_err().to_string();
    assert!(error.starts_with("s.toml, line 6: ") && error.contains("never has the value"), "{error}");
    for (text, said) in [
        ("preset = \"lstn\"\nobjective = \"bleu\"\n[tune]\n", "s.toml, line 1: there is no preset `lstn`"),
        ("preset = \"lstm\"\nobjective = \"loss\"\n[tune]\n", "s.toml, line 2: unknown variant `loss`"),
        ("preset = \"lstm\"\nobjective = \"bleu\"\n", "missing field `tune`"),
        ("preset = \"lstm\"\nobjective = \"bleu\"\n[tune]\n", "s.toml, line 3: nothing varies"),
        ("objective = \"bleu\"\n[tune]\n", "expected either `preset = \"NAME\"` or `config = \"FILE\"`"),
        ("config = \"my.toml\"\nobjective = \"bleu\"\n[tune]\n", "s.toml, line 1: cannot read my.toml"),
        ("preset = \"lstm\"\nobjective = \"bleu\"\nepochs = 0\n[tune]\n", "s.toml, line 3: `train.epochs = 0`"),
        (
            "preset = \"lstm\"\nobjective = \"bleu\"\n[fixed]\ntrain.seeds = 3\n[tune]\n",
            "s.toml, line 4: unknown key `train.seeds`: did you mean `train.seed`?",
        ),
    ] {
        let error = read(text).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
}
