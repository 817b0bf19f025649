//! Dawn, Chrome's WebGPU, with Tint, its compiler of WGSL, as a device. It is a library for Node, and `dawn.js` takes
//! its orders there.

use std::collections::HashMap;
use std::io::{BufWriter, ErrorKind, Read, Write};
use std::ops::Range;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use wgrad::gpu::Shaders;
use wgrad::graph::{Dispatch, Target, TensorType};
use wgrad::plan::{Buffer, Counters, Device, DeviceError, Plan, Prepared, Profile, Region};

/// Where `tests/install_targets.sh` puts it.
const LIBRARY: &str = "/usr/local/lib/wgrad/dawn-0.6.2.node";

/// The Vulkan driver that it computes on.
const ADAPTER: &str = "llvmpipe";

/// What a pipeline depends on: WGSL, entry point, whether it writes each storage buffer, whether it has a uniform.
type Key = (String, &'static str, Vec<bool>, bool);

/// As much of an adapter as WebGPU guarantees, and its subgroup operations.
pub struct Dawn {
    node: Child,
    orders: BufWriter<ChildStdin>,
    answers: ChildStdout,
    shaders: Arc<Shaders>,
    description: String,
    target: Target,
    pipelines: HashMap<Key, u64>,
    /// The plan that was prepared last, and its launches as orders.
    plan: Plan,
    launches: Vec<Value>,
}

impl Dawn {
    pub fn open(shaders: Arc<Shaders>) -> Self {
        let mut command = Command::new("node");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/targets/dawn.js")).args([LIBRARY, ADAPTER]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut node = command.spawn().unwrap_or_else(|e| match e.kind() {
            ErrorKind::NotFound => panic!("Node is missing, which Chrome's compiler of WGSL runs in: {INSTALL}"),
            _ => panic!("cannot run node: {e}"),
        });
        let (orders, answers) = (node.stdin.take().expect("a pipe"), node.stdout.take().expect("a pipe"));
        let mut dawn = Self {
            node,
            orders: BufWriter::new(orders),
            answers,
            shaders,
            description: String::new(),
            target: Target::webgpu(),
            pipelines: HashMap::new(),
            plan: Plan::empty(),
            launches: vec![],
        };
        let (about, _) = dawn.answer();
        dawn.description = format!("{} (Dawn)", about["description"].as_str().expect("a description"));
        let features: Vec<_> = about["features"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        assert_eq!(features, ["subgroups", "shader-f16"], "{}: what kernels need to be compiled", dawn.description);
        dawn.target.subgroup = about["subgroup"].as_u64().expect("a size") as u32;
        dawn
    }

    fn order(&mut self, order: &Value, words: &[u32]) -> (Value, Vec<u32>) {
        let json = order.to_string().into_bytes();
        let words: &[u8] = bytemuck::cast_slice(words);
        let parts = [&(json.len() as u32).to_le_bytes()[..], &(words.len() as u32).to_le_bytes(), &json, words];
        // If it has ended, its answer says why.
        let _ = parts.iter().try_for_each(|part| self.orders.write_all(part)).and_then(|()| self.orders.flush());
        self.answer()
    }

    fn answer(&mut self) -> (Value, Vec<u32>) {
        let mut read = || -> std::io::Result<(Vec<u8>, Vec<u32>)> {
            let mut lengths = [0; 2];
            self.answers.read_exact(bytemuck::cast_slice_mut(&mut lengths))?;
            let [json, words]: [u32; 2] = lengths;
            let (mut json, mut words) = (vec![0; json as usize], vec![0; words as usize / 4]);
            self.answers.read_exact(&mut json)?;
            self.answers.read_exact(bytemuck::cast_slice_mut(&mut words))?;
            Ok((json, words))
        };
        match read() {
            Ok((json, words)) => (serde_json::from_slice(&json).expect("JSON"), words),
            Err(_) => {
                let mut said = String::new();
                let _ = self.node.stderr.take().expect("a pipe").read_to_string(&mut said);
                panic!("Dawn ended: {said}\nIf {LIBRARY} is missing or Node is older than 18: {INSTALL}")
            }
        }
    }

    /// An order whose answer has no words and no number.
    fn done(&mut self, order: Value, words: &[u32]) -> Result<(), DeviceError> {
        let (answer, _) = self.order(&order, words);
        self.valid(&answer)
    }

    fn valid(&self, answer: &Value) -> Result<(), DeviceError> {
        match answer["error"].as_str() {
            None => Ok(()),
            Some(message) => Err(DeviceError::Validation { device: self.description.clone(), message: message.into() }),
        }
    }

    /// What Tint makes of a kernel: the number of a module.
    pub fn compile(&mut self, dispatch: &Dispatch) -> Result<u64, DeviceError> {
        let source = self.shaders.assemble(dispatch);
        let (answer, _) = self.order(&json!({ "do": "module", "code": source.text }), &[]);
        answer["number"].as_u64().ok_or_else(|| {
            let line = answer["line"].as_u64().map(|line| line as usize);
            let message = answer["error"].as_str().expect("an error").into();
            DeviceError::Shader { place: source.place(line), message }
        })
    }

    fn pipeline(&mut self, dispatch: &Dispatch) -> Result<u64, DeviceError> {
        let writable: Vec<bool> = dispatch.bindings.iter().map(|&(_, write)| write).collect();
        let uniform = !dispatch.uniform.is_empty();
        let text = self.shaders.assemble(dispatch).text;
        let key = (text, dispatch.entry, writable, uniform);
        if let Some(&known) = self.pipelines.get(&key) {
            return Ok(known);
        }
        let module = self.compile(dispatch)?;
        let order =
            json!({ "do": "pipeline", "module": module, "entry": key.1, "writable": key.2, "uniform": uniform });
        let (answer, _) = self.order(&order, &[]);
        self.valid(&answer)?;
        let number = answer["number"].as_u64().expect("a number");
        self.pipelines.insert(key, number);
        Ok(number)
    }

    /// A region as orders have it.
    fn region(&self, region: &Region) -> Value {
        let name = match region.buffer {
            Buffer::Slot(slot) => slot_name(slot),
            Buffer::Input(input) => self.plan.inputs[input].0.clone(),
        };
        json!([name, region.offset, region.len])
    }

    fn write(&mut self, name: &str, words: &[u32]) {
        self.done(json!({ "do": "write", "name": name }), words).unwrap_or_else(|e| panic!("{e}"));
    }

    fn fetch(&mut self, index: usize) -> Result<Vec<u32>, DeviceError> {
        let region = self.region(&self.plan.fetches[index].0);
        let (answer, words) = self.order(&json!({ "do": "read", "region": region }), &[]);
        self.valid(&answer)?;
        Ok(words)
    }
}

const INSTALL: &str = "tests/install_targets.sh installs both";

impl Drop for Dawn {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}

fn slot_name(slot: usize) -> String {
    format!("slot {slot}")
}

/// What running a case asks for.
impl Device for Dawn {
    fn describe(&self) -> String {
        self.description.clone()
    }

    fn target(&self) -> Target {
        self.target.clone()
    }

    fn allocate(&mut self, name: &str, tensor: &TensorType) -> Result<(), DeviceError> {
        self.done(json!({ "do": "allocate", "name": name, "words": tensor.len().max(4) }), &[])
    }

    fn write_f32(&mut self, name: &str, values: &[f32]) -> Result<(), DeviceError> {
        self.write(name, bytemuck::cast_slice(values));
        Ok(())
    }

    fn write_u32(&mut self, name: &str, values: &[u32]) -> Result<(), DeviceError> {
        self.write(name, values);
        Ok(())
    }

    fn read_f32(&mut self, _name: &str) -> Result<Vec<f32>, DeviceError> {
        unreachable!("no case asks for it")
    }

    /// The only plan from then on.
    fn prepare(&mut self, plan: Plan) -> Result<Prepared, DeviceError> {
        for (i, slot) in plan.slots.iter().enumerate() {
            self.allocate(&slot_name(i), &TensorType { shape: vec![slot.len], dtype: slot.dtype })?;
        }
        self.plan = plan.clone();
        self.launches.clear();
        for step in &plan.steps {
            for dispatch in &step.dispatches {
                let pipeline = self.pipeline(dispatch)?;
                let regions: Vec<_> =
                    dispatch.bindings.iter().map(|&(operand, _)| self.region(&step.region(operand))).collect();
                let Dispatch { uniform, workgroups, .. } = dispatch;
                self.launches.push(
                    json!({ "pipeline": pipeline, "regions": regions, "uniform": uniform, "workgroups": workgroups }),
                );
            }
        }
        Ok(Prepared(0))
    }

    fn fill_slots(&mut self, bits: u32) {
        for (i, slot) in self.plan.slots.clone().iter().enumerate() {
            self.write(&slot_name(i), &vec![bits; slot.len]);
        }
    }

    fn run(&mut self, _plan: Prepared, _log: bool) -> Result<(), DeviceError> {
        self.done(json!({ "do": "run", "launches": self.launches }), &[])
    }

    fn read_bits(&mut self, _plan: Prepared, _region: &Region) -> Result<Vec<u32>, DeviceError> {
        unreachable!("no case asks for it")
    }

    fn run_part(&mut self, _plan: Prepared, _steps: Range<usize>) -> Result<(), DeviceError> {
        unreachable!("no case asks for it")
    }

    fn profile(&mut self, _plan: Prepared) -> Result<Profile, DeviceError> {
        unreachable!("no case asks for it")
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }

    fn logged(&mut self, _wait: bool) -> Result<Vec<Vec<f32>>, DeviceError> {
        Ok(vec![])
    }

    fn fetch_f32(&mut self, _plan: Prepared, index: usize) -> Result<Vec<f32>, DeviceError> {
        Ok(self.fetch(index)?.into_iter().map(f32::from_bits).collect())
    }

    fn fetch_u32(&mut self, _plan: Prepared, index: usize) -> Result<Vec<u32>, DeviceError> {
        self.fetch(index)
    }
}
