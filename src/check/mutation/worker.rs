//! The child process: runs the quick cases on mutants, one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use wgpu::naga::compact::{KeepUnused, compact};
use wgpu::naga::front::wgsl::parse_str;
use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};

use crate::check::{Expected, Problem, compare, difference, expected, overrun, plan_of, run_twice, targets};
use crate::gpu::{Gpu, OpenError, Shaders, straighten, without_places};
use crate::graph::{Dispatch, Shader, TensorType};
use crate::ops::Listing;
use crate::ops::case::{Case, CaseSet};
use crate::plan::{DeviceError, Plan};

use super::judges::{ALIVE, READY};
use super::{File, Mutant, all_mutants, files};

/// Shader, entry point, constants.
type Kernel = (Shader, &'static str, Vec<(&'static str, u32)>);

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
struct FileUnderTest<'a> {
    file: File,
    jobs: Vec<Job>,
    /// What naga makes of every kernel that the file is part of.
    compiled: BTreeMap<Kernel, String>,
    open: &'a dyn Fn() -> Result<Gpu, OpenError>,
}

/// What a worker does: runs the quick cases of these ops on the mutants whose numbers in [`all_mutants`] come in on
/// standard input, one a line, and prints what becomes of each. `open` gives a device with nothing on it.
///
/// # Errors
/// When the device cannot be opened.
pub fn work(ops: &[Listing], open: impl Fn() -> Result<Gpu, OpenError>) -> Result<(), OpenError> {
    let all = all_mutants(ops);
    let mut current: Option<FileUnderTest> = None;
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Some(mutant) = line.parse::<usize>().ok().and_then(|number| all.get(number)) else { break };
        let file = match current.take().filter(|file| file.file.name == mutant.file) {
            Some(file) => file,
            None => FileUnderTest::new(&mutant.file, ops, &open)?,
        };
        say(READY);
        match file.judge(mutant)? {
            Ok(verdict) => say(&verdict),
            // Nothing that runs on a lost device says anything of the next mutant.
            Err(lost) => {
                say(&lost);
                break;
            }
        }
        current = Some(file);
    }
    Ok(())
}

fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().expect("the parent reads on");
}

/// Tells the parent that the next case has begun.
fn alive() {
    say(ALIVE);
}

impl<'a> FileUnderTest<'a> {
    fn new(name: &str, ops: &[Listing], open: &'a dyn Fn() -> Result<Gpu, OpenError>) -> Result<Self, OpenError> {
        let file = files(ops).into_iter().find(|file| file.name == name).expect("a mutant is of one of the files");
        let shaders = Shaders::default();
        let folder = if file.unchecked { "shaders/" } else { "" };
        let path = format!("{folder}{name}.wgsl");
        let part_of = |d: &Dispatch| shaders.assemble(d).files().any(|f| f == Path::new(&path));
        let mut jobs: Vec<Job> = vec![];
        let targets = targets(&open()?);
        for op in ops {
            for (number, case) in op.cases(&CaseSet::default()).into_iter().enumerate() {
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
                    let mut gpu = open()?;
                    gpu.watch_ends();
                    let [original, _] =
                        run_twice(&mut gpu, &case, plan.clone(), &types).expect("the shaders are right");
                    jobs.push(Job {
                        op: op.name,
                        number,
                        case: case.clone(),
                        plan,
                        types,
                        expected,
                        kernels,
                        original,
                    });
                }
            }
        }
        // Small ones first: they catch most mutants.
        jobs.sort_by_key(|job| job.case.inputs.iter().map(|input| input.tensor_type().len()).sum::<usize>());
        let kernels: BTreeSet<&Kernel> = jobs.iter().flat_map(|job| &job.kernels).collect();
        let compiled =
            kernels.into_iter().map(|k| (k.clone(), compile(&shaders, k).expect("a valid shader"))).collect();
        Ok(Self { file, jobs, compiled, open })
    }

    /// A verdict, or one after which the device is lost.
    fn judge(&self, mutant: &Mutant) -> Result<Result<String, String>, OpenError> {
        // SAFETY: the process is there for this mutant alone, and a wrong access that ends it is a verdict.
        let shaders = unsafe { Shaders::with_text(self.file.name, mutant.apply(self.file.text), self.file.unchecked) };
        let shaders = Arc::new(shaders);
        let mut changed = BTreeSet::new();
        for (kernel, original) in &self.compiled {
            match compile(&shaders, kernel) {
                Err(()) => return Ok(Ok("invalid".into())),
                Ok(code) if code == *original => {}
                Ok(_) => drop(changed.insert(kernel)),
            }
        }
        let mut bits_differ = false;
        for job in self.jobs.iter().filter(|job| job.kernels.iter().any(|kernel| changed.contains(kernel))) {
            alive();
            let mut gpu = (self.open)()?;
            gpu.watch_ends();
            gpu.take_shaders(shaders.clone());
            let runs = match run_twice(&mut gpu, &job.case, job.plan.clone(), &job.types) {
                Ok(runs) => runs,
                Err(DeviceError::Shader { .. } | DeviceError::Validation { .. }) => return Ok(Ok("invalid".into())),
                Err(e) => return Ok(Err(format!("caught: {} case {}: {e}", job.op, job.number))),
            };
            let problem: Option<Problem> =
                compare(&job.expected, &runs[0]).problem.or_else(|| difference(&job.expected, &runs));
            let problem = problem.or_else(|| overrun(&mut gpu).ok().flatten());
            if let Some(problem) = problem {
                return Ok(Ok(format!("caught: {} case {}: {problem}", job.op, job.number)));
            }
            bits_differ |= runs[0] != job.original;
        }
        let verdict = match (changed.is_empty(), bits_differ) {
            (true, _) => "same code",
            (false, true) => "survived: results differ, within the bound",
            (false, false) => "survived: results are the same",
        };
        Ok(Ok(verdict.into()))
    }
}

fn launches(plan: &Plan) -> Vec<String> {
    plan.steps.iter().flat_map(|step| &step.dispatches).map(|dispatch| format!("{dispatch:?}")).collect()
}

/// What naga makes of a kernel, without what its entry point does not use; nothing if the WGSL is not valid.
fn compile(shaders: &Shaders, (shader, entry, constants): &Kernel) -> Result<String, ()> {
    let dispatch = Dispatch { constants: constants.clone(), ..Dispatch::new(*shader, entry) };
    let mut module = parse_str(&shaders.assemble(&dispatch).for_naga()).map_err(drop)?;
    straighten(&mut module);
    Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module).map_err(drop)?;
    module.entry_points.retain(|point| point.name == *entry);
    compact(&mut module, KeepUnused::No);
    without_places(&mut module);
    Ok(format!("{module:?}"))
}
