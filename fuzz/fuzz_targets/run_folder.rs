#![cfg_attr(fuzzing, no_main)]
wgrad_fuzz::target!(run_folder);
