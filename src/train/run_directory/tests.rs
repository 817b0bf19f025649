//! The folder of a run: what it takes, refuses and leaves.

use super::*;

const FILES: [&str; 5] = [METRICS, MODEL, LAST, "tokenizer.de.json", "tokenizer.en.json"];

fn create(run: &RunDirectory) -> Lock {
    run.create(|| Ok::<_, RunError>(())).unwrap()
}

fn complete(path: &Path) -> RunDirectory {
    let run = RunDirectory::new(path, Config::default()).unwrap();
    create(&run);
    for file in FILES {
        fs::write(path.join(file), file).unwrap();
    }
    run
}

#[test]
fn a_new_run_has_its_configuration_and_paths() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("runs").join("first");
    let mut config = Config::default();
    config.set("data.source=fr").unwrap();
    config.set("train.learning_rate=0.0012345679").unwrap();
    let run = RunDirectory::new(&path, config.clone()).unwrap();
    assert!(!path.exists(), "nothing is written yet");
    create(&run);
    let text = fs::read_to_string(path.join("config.toml")).unwrap();
    assert_eq!(Config::from_toml(&text, "config.toml").unwrap(), config);
    assert_eq!(run.source_tokenizer_path(), path.join("tokenizer.fr.json"));
    assert_eq!(run.target_tokenizer_path(), path.join("tokenizer.en.json"));
    // An empty folder is as good as none.
    let empty = directory.path().join("empty");
    fs::create_dir(&empty).unwrap();
    create(&RunDirectory::new(&empty, config).unwrap());
}

#[test]
fn an_existing_run_is_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("note");
    fs::create_dir(&path).unwrap();
    fs::write(path.join(".hidden"), "mine").unwrap();
    let error = RunDirectory::new(&path, Config::default()).unwrap_err().to_string();
    let name = path.display();
    assert_eq!(error, format!("{name} already has files in it"));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    assert_eq!(fs::read(path.join(".hidden")).unwrap(), b"mine");

    let file = path.join(".hidden");
    let error = RunDirectory::new(&file, Config::default()).unwrap_err().to_string();
    assert_eq!(error, format!("{} is not a folder", file.display()));
}

#[test]
fn one_process_trains_in_a_folder() {
    let directory = tempfile::tempdir().unwrap();
    let run = complete(&directory.path().join("run"));
    let lock = run.lock().unwrap();
    let error = run.lock().unwrap_err().to_string();
    assert!(error.starts_with(&format!("another process trains in {}: ", run.path().display())), "{error}");
    drop(lock);
    run.lock().unwrap();
}

#[test]
fn the_run_in_a_folder_can_be_continued() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    complete(&path);
    let error = RunDirectory::new(&path, Config::default()).unwrap_err();
    assert!(matches!(&error, RunError::Run { path: run } if *run == path), "{error}");
}

#[test]
fn a_run_that_goes_on_may_take_longer_but_is_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let mut run = complete(&path);
    let before = run.config().clone();
    for (assignments, message) in [
        (
            &["train.epochs=9", "train.seed=2"][..],
            "`train.seed` cannot change in the middle of a run: only train.epochs, train.patience, ",
        ),
        (&["model.hidden=8"], "`model.hidden` cannot change"),
        (&["train.epoch=9"], "did you mean `train.epochs`?"),
        (&["train.epochs=0"], "`train.epochs = 0`"),
    ] {
        let error = run.change(assignments).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert_eq!(run.config(), &before);
    }
    run.change(&["train.epochs = 9", "train.patience=3"]).unwrap();
    let noted = before.to_toml().replace("[train]\n", "# mine\n[train] # too\n");
    fs::write(run.config_path(), &noted).unwrap();
    run.save_changes().unwrap();
    let config = RunDirectory::resume(&path).unwrap().config().clone();
    assert_eq!((config.train.epochs, config.train.patience), (9, 3));
    let saved = fs::read_to_string(run.config_path()).unwrap();
    let changed = noted.lines().zip(saved.lines()).filter(|(old, new)| old != new).count();
    assert_eq!((changed, saved.lines().count()), (2, noted.lines().count()), "{saved}");
}

#[test]
fn a_run_that_cannot_begin_leaves_nothing_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let run = RunDirectory::new(&path, Config::default()).unwrap();
    let fail = |more: &str| {
        let first = || {
            for file in [METRICS, LAST, "tokenizer.de.json", more] {
                fs::write(path.join(file), "").unwrap();
            }
            Err(RunError::Exists { path: path.clone() })
        };
        run.create(first).unwrap_err()
    };
    fail("tokenizer.en.json");
    assert!(!path.exists());
    fail("notes");
    let left: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["notes"], "what is not its own stays");
}

/// Killed before its first checkpoint, a run leaves what has no use; the folder serves again.
#[test]
fn what_a_run_left_that_never_began_is_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let left = [CONFIG, LOCK, "tokenizer.de.json", "tokenizer.fr.json", ".wgrad-abc.tmp"];
    fs::create_dir(&path).unwrap();
    left.iter().for_each(|file| fs::write(path.join(file), "old").unwrap());
    fs::write(path.join(METRICS), "").unwrap();
    let run = RunDirectory::new(&path, Config::default()).unwrap();
    create(&run);
    let mut names: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [CONFIG, LOCK]);
    // With anything that is worth something, or without the sign of a run, it is not touched.
    for file in [MODEL, METRICS, "notes", "epoch-1.safetensors"] {
        fs::write(path.join(file), "mine").unwrap();
        assert!(matches!(RunDirectory::new(&path, Config::default()), Err(RunError::Exists { .. })), "{file}");
        fs::remove_file(path.join(file)).unwrap();
    }
    fs::remove_file(path.join(LOCK)).unwrap();
    assert!(matches!(RunDirectory::new(&path, Config::default()), Err(RunError::Exists { .. })));
}

#[test]
#[cfg(unix)]
fn a_run_with_a_link_in_it_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    for file in [CONFIG, MODEL, LAST, METRICS, LOCK, "tokenizer.de.json", "tokenizer.en.json"] {
        let run = complete(&path);
        let [mine, link] = [directory.path().join("mine"), path.join(file)];
        fs::copy(&link, &mine).unwrap();
        let contents = fs::read(&mine).unwrap();
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&mine, &link).unwrap();
        let refused = |result: Result<(), RunError>| result.map_or_else(|error| error.to_string(), |()| String::new());
        let resumed = refused(RunDirectory::resume(&path).and_then(|run| run.lock()).map(|_| ()));
        assert!(resumed.contains(&format!("{file} is a link to another file; ")), "{resumed}");
        let opened = refused(RunDirectory::open(&path).map(|_| ()));
        assert_eq!(opened.contains(" is a link to another file; "), ![LAST, METRICS, LOCK].contains(&file), "{opened}");
        assert_eq!(fs::read(&mine).unwrap(), contents);
        fs::remove_dir_all(run.path()).unwrap();
    }
}

#[test]
fn a_complete_run_opens_with_its_own_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let run = complete(&directory.path().join("run"));
    let mut config = run.config().clone();
    config.set("model.hidden=78").unwrap();
    fs::write(run.config_path(), config.to_toml()).unwrap();
    for reopened in [RunDirectory::open(run.path()), RunDirectory::resume(run.path())] {
        let reopened = reopened.unwrap();
        assert_eq!(reopened.config(), &config);
        assert_eq!(reopened.path(), run.path());
    }
    let paths = [
        run.metrics_path(),
        run.model_path(),
        run.last_path(),
        run.source_tokenizer_path(),
        run.target_tokenizer_path(),
    ];
    assert_eq!(paths, FILES.map(|file| run.path().join(file)));
}

#[test]
fn missing_files_are_named() {
    for (file, to_open, to_resume) in [
        (CONFIG, "expected the folder of a run", "expected the folder of a run"),
        (METRICS, "", "restore the file"),
        (MODEL, "resume it, a finished one with more train.epochs", ""),
        (LAST, "", "train again in this folder"),
        ("tokenizer.de.json", "restore the file", "restore the file"),
        ("tokenizer.en.json", "restore the file", "restore the file"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run");
        complete(&path);
        fs::remove_file(path.join(file)).unwrap();
        for (result, advice) in [(RunDirectory::open(&path), to_open), (RunDirectory::resume(&path), to_resume)] {
            let error = result.err().map_or(String::new(), |error| error.to_string());
            assert_eq!(error.is_empty(), advice.is_empty(), "{file}: {error}");
            if !advice.is_empty() {
                let start = format!("{} has no {file}; ", path.display());
                assert!(error.starts_with(&start) && error.contains(advice), "{error}");
            }
        }
    }
    let error = RunDirectory::open("no/such/run").unwrap_err().to_string();
    assert!(error.starts_with("no/such/run is not a folder; expected the folder of a run"), "{error}");
}

#[test]
fn a_wrong_configuration_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let run = complete(&directory.path().join("run"));
    for (contents, message) in
        [(&b"[model]\nhiden = 3"[..], "config.toml: did you mean `model.hidden`?"), (b"\xff", "cannot read ")]
    {
        fs::write(run.config_path(), contents).unwrap();
        let error = RunDirectory::resume(run.path()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn default_names_count_up() {
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path().join("v1.0");
    for name in ["v1.0", "v1.0-2", "v1.0-3"] {
        let free = next_free(&base);
        assert_eq!(free, directory.path().join(name));
        fs::create_dir(free).unwrap();
    }
}
