//! The child process: runs the quick cases on mutants, one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use naga::back::spv;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use wgrad::check::{Expected, Problem, compare, difference, expected, plan_of, run_twice, stray, targets};
use wgrad::gpu::{Gpu, Shaders, straighten};
use wgrad::graph::{Dispatch, TensorType};
use wgrad::ops::OPS;
use wgrad::ops::case::{Case, CaseSet};
use wgrad::plan::{DeviceError, Plan};

use super::judges::{ALIVE, READY};
use super::mutants::{Mutant, mutants};

/// Shader, entry point, constants.
type Kernel = (&'static str, &'static str, Vec<(&'static str, u32)>);

/// A case, on one kind of kernels.
struct Job {
    op: &'static str,
    number: usize,
    case: Rc<Case>,
    plan: Plan,
    types: Vec<TensorType>,
    expected: Rc<Expected>,
    /// Those that the file is part of.
    kernels: BTreeSet<Kernel>,
    /// What the unchanged shaders give.
    original: Vec<Vec<u32>>,
}

/// All that mutants of one file share.
struct Subject {
    text: &'static str,
    jobs: Vec<Job>,
    /// The SPIR-V of every kernel that the file is part of.
    compiled: BTreeMap<Kernel, Vec<u32>>,
}

pub fn run() {
    let all: Vec<Mutant> = super::files().flat_map(|(name, text)| mutants(name, text)).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut current: Option<(String, Subject)> = None;
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let mutant = &all[line.parse::<usize>().expect("a mutant's number")];
        if current.as_ref().is_none_or(|(file, _)| *file != mutant.file) {
            current = Some((mutant.file.clone(), Subject::new(&mutant.file)));
        }
        let (_, subject) = current.as_ref().expect("a subject");
        say(READY);
        match subject.judge(mutant, folder.path()) {
            Ok(verdict) => say(&verdict),
            // Nothing that runs on a lost device says anything of the next mutant.
            Err(lost) => return say(&lost),
        }
    }
}

fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().expect("the parent reads on");
}

/// Tells the parent that the next case has begun.
fn alive() {
    say(ALIVE);
}

fn open(shaders: Option<Arc<Shaders>>) -> Gpu {
    let mut gpu = Gpu::open("llvmpipe").or_else(|_| Gpu::open("")).unwrap_or_else(|e| panic!("{e}"));
    gpu.watch_ends();
    if let Some(shaders) = shaders {
        gpu.take_shaders(shaders);
    }
    gpu
}

impl Subject {
    fn new(file: &str) -> Self {
        let (_, text) = super::files().find(|(name, _)| *name == file).expect("a known file");
        let shaders = Shaders::default();
        let path = format!("shaders/{file}.wgsl");
        let part_of = |d: &Dispatch| shaders.assemble(d.shader, &d.constants).files().any(|f| f == Path::new(&path));
        let mut jobs: Vec<Job> = vec![];
        let targets = targets(&open(None));
        for (op, cases) in OPS {
            for (number, case) in cases(&CaseSet::default()).into_iter().enumerate() {
                alive();
                let (case, mut judged) = (Rc::new(case), None);
                let mut plans: Vec<Plan> = vec![];
                for (_, target) in &targets {
                    let (plan, types) = plan_of(&case, target);
                    let dispatches = plan.steps.iter().flat_map(|step| &step.dispatches);
                    let kernels: BTreeSet<Kernel> =
                        dispatches.filter(|d| part_of(d)).map(|d| (d.shader, d.entry, d.constants.clone())).collect();
                    if kernels.is_empty() || plans.iter().any(|known| launches(known) == launches(&plan)) {
                        continue;
                    }
                    plans.push(plan.clone());
                    let expected = judged.get_or_insert_with(|| Rc::new(expected(&case))).clone();
                    let mut gpu = open(None);
                    let [original, _] =
                        run_twice(&mut gpu, &case, plan.clone(), &types).expect("the shaders are right");
                    jobs.push(Job { op, number, case: case.clone(), plan, types, expected, kernels, original });
                }
            }
        }
        // Small ones first: they catch most mutants.
        jobs.sort_by_key(|job| job.case.inputs.iter().map(|input| input.tensor_type().len()).sum::<usize>());
        let kernels: BTreeSet<&Kernel> = jobs.iter().flat_map(|job| &job.kernels).collect();
        let compiled =
            kernels.into_iter().map(|k| (k.clone(), compile(&shaders, k).expect("a valid shader"))).collect();
        Self { text, jobs, compiled }
    }

    /// "invalid", "same code", "caught: by which case and why", or "survived: and whether any bit changed". An error is
    /// such a verdict too, after which the device is lost.
    fn judge(&self, mutant: &Mutant, folder: &Path) -> Result<String, String> {
        let path = folder.join(format!("{}.wgsl", mutant.file));
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a temporary folder");
        std::fs::write(&path, mutant.apply(self.text)).expect("a temporary file");
        let shaders = Arc::new(Shaders::read(folder).expect("the mutant can be read"));
        std::fs::remove_file(&path).expect("the file is there");
        let mut changed = BTreeSet::new();
        for (kernel, original) in &self.compiled {
            match compile(&shaders, kernel) {
                Err(()) => return Ok("invalid".into()),
                Ok(code) if code == *original => {}
                Ok(_) => drop(changed.insert(kernel)),
            }
        }
        let mut bits_differ = false;
        for job in self.jobs.iter().filter(|job| job.kernels.iter().any(|kernel| changed.contains(kernel))) {
            alive();
            let mut gpu = open(Some(shaders.clone()));
            let runs = match run_twice(&mut gpu, &job.case, job.plan.clone(), &job.types) {
                Ok(runs) => runs,
                Err(DeviceError::Shader { .. } | DeviceError::Validation { .. }) => return Ok("invalid".into()),
                Err(e) => return Err(format!("caught: {} case {}: {e}", job.op, job.number)),
            };
            let problem: Option<Problem> =
                compare(&job.expected, &runs[0]).problem.or_else(|| difference(&job.expected, &runs));
            let problem = problem.or_else(|| stray(&mut gpu).ok().flatten());
            if let Some(problem) = problem {
                return Ok(format!("caught: {} case {}: {problem}", job.op, job.number));
            }
            bits_differ |= runs[0] != job.original;
        }
        let verdict = match (changed.is_empty(), bits_differ) {
            (true, _) => "same code",
            (false, true) => "survived: results differ, within the bound",
            (false, false) => "survived: results are the same",
        };
        Ok(verdict.into())
    }
}

fn launches(plan: &Plan) -> Vec<String> {
    plan.steps.iter().flat_map(|step| &step.dispatches).map(|dispatch| format!("{dispatch:?}")).collect()
}

/// The SPIR-V that training runs, without names and lines; nothing if the WGSL is not valid.
fn compile(shaders: &Shaders, (shader, entry, constants): &Kernel) -> Result<Vec<u32>, ()> {
    let mut module = naga::front::wgsl::parse_str(&shaders.assemble(shader, constants).for_naga()).map_err(drop)?;
    straighten(&mut module);
    let info = Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP).validate(&module).map_err(drop)?;
    let flags = spv::WriterFlags::empty();
    // 1.3, the first with subgroup operations.
    let options = spv::Options { lang_version: (1, 3), flags, force_loop_bounding: false, ..Default::default() };
    let pipeline = spv::PipelineOptions { shader_stage: naga::ShaderStage::Compute, entry_point: (*entry).into() };
    spv::write_vec(&module, &info, &options, Some(&pipeline)).map_err(drop)
}
