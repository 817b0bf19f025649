use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{DeviceUnderTest, Failure, Problem, check_op, check_steps};
use crate::cpu::Cpu;
use crate::graph::{Graph, Target, TensorType};
use crate::ops::case::CaseSet;
use crate::ops::tanh;
use crate::plan::{Counters, Device, DeviceError, Plan, Prepared, Profile, Region};

/// The CPU, which is lost in one of its runs and stays so.
struct Frail {
    cpu: Cpu<f32>,
    /// Runs that it survives.
    left: Arc<AtomicUsize>,
}

impl Frail {
    fn new(left: &Arc<AtomicUsize>) -> Self {
        Self { cpu: Cpu::new(), left: left.clone() }
    }

    fn live(&self) -> Result<(), DeviceError> {
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| DeviceError::Lost { device: "frail".into(), message: "gone".into() })
    }
}

impl Device for Frail {
    fn describe(&self) -> String {
        self.cpu.describe()
    }

    fn target(&self) -> Target {
        self.cpu.target()
    }

    fn allocate(&mut self, name: &str, tensor: &TensorType) -> Result<(), DeviceError> {
        self.cpu.allocate(name, tensor)
    }

    fn write_f32(&mut self, name: &str, values: &[f32]) -> Result<(), DeviceError> {
        self.cpu.write_f32(name, values)
    }

    fn write_u32(&mut self, name: &str, values: &[u32]) -> Result<(), DeviceError> {
        self.cpu.write_u32(name, values)
    }

    fn read_f32(&mut self, name: &str) -> Result<Vec<f32>, DeviceError> {
        self.cpu.read_f32(name)
    }

    fn prepare(&mut self, plan: Plan) -> Result<Prepared, DeviceError> {
        self.cpu.prepare(plan)
    }

    fn fill_slots(&mut self, bits: u32) {
        self.cpu.fill_slots(bits);
    }

    fn run(&mut self, plan: Prepared, log: bool) -> Result<(), DeviceError> {
        self.live()?;
        self.cpu.run(plan, log)
    }

    fn read_bits(&mut self, plan: Prepared, region: &Region) -> Result<Vec<u32>, DeviceError> {
        self.cpu.read_bits(plan, region)
    }

    fn run_part(&mut self, plan: Prepared, steps: Range<usize>) -> Result<(), DeviceError> {
        self.live()?;
        self.cpu.run_part(plan, steps)
    }

    fn profile(&mut self, plan: Prepared) -> Result<Profile, DeviceError> {
        self.cpu.profile(plan)
    }

    fn counters(&self) -> Counters {
        self.cpu.counters()
    }

    fn logged(&mut self, wait: bool) -> Result<Vec<Vec<f32>>, DeviceError> {
        self.cpu.logged(wait)
    }

    fn fetch_f32(&mut self, plan: Prepared, index: usize) -> Result<Vec<f32>, DeviceError> {
        self.cpu.fetch_f32(plan, index)
    }

    fn fetch_u32(&mut self, plan: Prepared, index: usize) -> Result<Vec<u32>, DeviceError> {
        self.cpu.fetch_u32(plan, index)
    }
}

#[test]
fn a_lost_device_fails_its_case_and_ends_the_check() {
    let left = Arc::new(AtomicUsize::new(5));
    let subject = DeviceUnderTest { open: Box::new(move |_| Ok(Box::new(Frail::new(&left)))), mode: "frail" };
    let cases: Vec<_> = tanh::LISTING.cases(&CaseSet::default()).into_iter().enumerate().collect();
    let rows = check_op("tanh", &cases, &[subject], |_| ()).expect("a device");
    let [row] = &rows[..] else { panic!("{rows:?}") };
    // Every case runs twice.
    assert!(row.lost() && row.not_run >= cases.len() - 2, "{row:?}");
    let is_lost = |failure: &Failure| matches!(&failure.problem, Problem::Lost { message } if message == "gone");
    assert!(row.failures.iter().all(is_lost), "{row:?}");
}

#[test]
fn a_step_at_which_the_device_is_lost_is_the_last_one() {
    let tensor = TensorType::f32(&[3]);
    let mut graph = Graph::new();
    let mut x = graph.input("x", tensor.clone()).expect("a new input");
    for _ in 0..4 {
        x = tanh::tanh(&mut graph, x).expect("numbers");
    }
    let plan = Plan::new(&graph, &[x], &[], &Target::cpu());
    let begin = |device: &mut dyn Device, run| {
        device.allocate("x", &tensor)?;
        device.write_f32("x", &[run as f32; 3])
    };
    // In the first run, and in the second, which is the one that is judged.
    for (survived, judged) in [(2, 0), (6, 2)] {
        let mut rows = vec![];
        check_steps(&mut Frail::new(&Arc::new(AtomicUsize::new(survived))), &plan, begin, |_| (), |row| rows.push(row));
        let last = rows.pop().expect("a row");
        assert!(last.lost() && last.step == 2 && last.op == "tanh", "{last:?}");
        assert!(rows.len() == judged && rows.iter().all(|row| row.problem.is_none()), "{rows:?}");
    }
}
