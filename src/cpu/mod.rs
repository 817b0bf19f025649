//! Runs plans on the ops' references: in f32 to train, in f64 to judge, with tracked errors to say how far a kernel may
//! be off.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Instant;

use crate::graph::{Call, DType, Op, Real, Slice, SliceMut, Target, TensorType, Tracked};
use crate::memory;
use crate::plan::{
    Buffer, Clock, Counters, Device, DeviceError, Plan, Prepared, Profile, Region, Step, check_access, fetched,
    share_slots,
};

/// A number type that ops have a reference for.
pub trait Element: Real {
    fn run(op: &dyn Op, call: Call<Self>);
    fn from_f32(value: f32) -> Self;
}

impl Element for f32 {
    fn run(op: &dyn Op, call: Call<Self>) {
        op.run_f32(call);
    }
    fn from_f32(value: f32) -> Self {
        value
    }
}

impl Element for f64 {
    fn run(op: &dyn Op, call: Call<Self>) {
        op.run_f64(call);
    }
    fn from_f32(value: f32) -> Self {
        f64::from(value)
    }
}

impl Element for Tracked {
    fn run(op: &dyn Op, call: Call<Self>) {
        op.run_tracked(call);
    }
    fn from_f32(value: f32) -> Self {
        Self::exact(value)
    }
}

#[derive(Debug)]
enum Data<T> {
    Float(Vec<T>),
    Ids(Vec<u32>),
}

impl<T: Element> Data<T> {
    fn new(dtype: DType, len: usize) -> Result<Self, DeviceError> {
        let mut data = match dtype {
            DType::F32 => Data::Float(vec![]),
            DType::U32 => Data::Ids(vec![]),
        };
        data.grow(len)?;
        Ok(data)
    }

    fn bytes(&self) -> usize {
        match self {
            Data::Float(x) => size_of_val(x.as_slice()),
            Data::Ids(x) => size_of_val(x.as_slice()),
        }
    }

    fn grow(&mut self, len: usize) -> Result<(), DeviceError> {
        match self {
            Data::Float(x) => lengthen(x, len),
            Data::Ids(x) => lengthen(x, len),
        }
    }
}

fn lengthen<E: Clone + Default>(data: &mut Vec<E>, len: usize) -> Result<(), DeviceError> {
    memory::lengthen(data, len).map_err(|_| {
        let gib = len as f64 * size_of::<E>() as f64 / 2_f64.powi(30);
        DeviceError::OutOfMemory {
            device: "cpu".into(),
            message: format!("a tensor of {len} numbers takes {gib:.1} GiB"),
        }
    })
}

struct Ready {
    plan: Plan,
    /// `slots[i]` is the place in the pool of the plan's slot `i`.
    slots: Vec<usize>,
    /// The same for its inputs.
    inputs: Vec<usize>,
}

/// The CPU as a device, computing in `T`.
pub struct Cpu<T> {
    /// Slots and resident buffers together.
    pool: Vec<Data<T>>,
    slots: Vec<usize>,
    named: HashMap<String, (usize, TensorType)>,
    plans: Vec<Ready>,
    log: Vec<Vec<f32>>,
    counters: Counters,
}

impl<T: Element> Default for Cpu<T> {
    fn default() -> Self {
        Self {
            pool: vec![],
            slots: vec![],
            named: HashMap::new(),
            plans: vec![],
            log: vec![],
            counters: Counters::default(),
        }
    }
}

impl<T: Element> Cpu<T> {
    pub fn new() -> Self {
        Self::default()
    }

    /// Fetch `index` of the plan's latest run, in full precision.
    pub fn fetch(&self, plan: Prepared, index: usize) -> Vec<T> {
        let ready = &self.plans[plan.0];
        match self.region(ready, &ready.plan.fetches[index].0) {
            Slice::Float(x) => x.to_vec(),
            Slice::Ids(_) => panic!("fetch {index} holds ids"),
        }
    }

    /// Overwrites the front of a resident buffer in full precision.
    pub fn write(&mut self, name: &str, values: &[T]) {
        let Data::Float(x) = &mut self.pool[self.named[name].0] else { panic!("`{name}` holds ids") };
        x[..values.len()].copy_from_slice(values);
    }

    /// A resident buffer of at least `len` of these.
    fn named_mut(&mut self, name: &str, dtype: DType, len: usize) -> Result<&mut Data<T>, DeviceError> {
        let present = self.named.get(name);
        check_access(name, present.map(|(_, tensor)| tensor), dtype, len)?;
        Ok(&mut self.pool[present.expect("it was checked").0])
    }

    fn index(ready: &Ready, buffer: Buffer) -> usize {
        match buffer {
            Buffer::Slot(slot) => ready.slots[slot],
            Buffer::Input(input) => ready.inputs[input],
        }
    }

    fn region(&self, ready: &Ready, region: &Region) -> Slice<'_, T> {
        let range = region.offset..region.offset + region.len;
        match &self.pool[Self::index(ready, region.buffer)] {
            Data::Float(x) => Slice::Float(&x[range]),
            Data::Ids(x) => Slice::Ids(&x[range]),
        }
    }

    /// Takes the buffers that the step writes out of the pool, so that inputs can be borrowed from the rest.
    fn execute(&mut self, ready: &Ready, step: &Step) {
        let mut written: Vec<(usize, Region)> =
            step.outputs.iter().enumerate().filter_map(|(o, region)| Some((o, (*region)?))).collect();
        written.sort_by_key(|(_, r)| (Self::index(ready, r.buffer), r.offset));
        let mut taken: Vec<(usize, Data<T>)> = vec![];
        for (_, region) in &written {
            let index = Self::index(ready, region.buffer);
            if taken.last().is_none_or(|(last, _)| *last != index) {
                taken.push((index, std::mem::replace(&mut self.pool[index], Data::Ids(vec![]))));
            }
        }
        let mut outputs: Vec<Option<SliceMut<T>>> = step.outputs.iter().map(|_| None).collect();
        let mut rest = written.as_slice();
        for (index, data) in &mut taken {
            let count = rest.iter().take_while(|(_, r)| Self::index(ready, r.buffer) == *index).count();
            let (mine, others) = rest.split_at(count);
            rest = others;
            match data {
                Data::Float(x) => split(x, mine, |o, s| outputs[o] = Some(SliceMut::Float(s))),
                Data::Ids(x) => split(x, mine, |o, s| outputs[o] = Some(SliceMut::Ids(s))),
            }
        }
        let input = |(i, region): (usize, &Region)| {
            let overwritten = (0..step.outputs.len()).any(|o| step.op.in_place(o) == Some(i));
            if overwritten { Slice::Float(&[][..]) } else { self.region(ready, region) }
        };
        let inputs = step.inputs.iter().enumerate().map(input).collect();
        T::run(&*step.op, Call::new(&step.types, inputs, outputs));
        for (index, data) in taken {
            self.pool[index] = data;
        }
    }
}

/// Cuts the regions, sorted and disjoint, out of one buffer.
fn split<'a, E>(mut rest: &'a mut [E], regions: &[(usize, Region)], mut give: impl FnMut(usize, &'a mut [E])) {
    let mut start = 0;
    for (output, region) in regions {
        let (_, tail) = rest.split_at_mut(region.offset - start);
        let (mine, tail) = tail.split_at_mut(region.len);
        give(*output, mine);
        rest = tail;
        start = region.offset + region.len;
    }
}

impl<T: Element> Device for Cpu<T> {
    fn describe(&self) -> String {
        format!("cpu ({} threads)", rayon::current_num_threads())
    }

    fn memory(&self) -> Option<u64> {
        memory::available()
    }

    fn target(&self) -> Target {
        Target::cpu()
    }

    fn allocate(&mut self, name: &str, tensor: &TensorType) -> Result<(), DeviceError> {
        let data = Data::new(tensor.dtype, tensor.len())?;
        match self.named.get_mut(name) {
            Some((index, known)) => {
                self.pool[*index] = data;
                *known = tensor.clone();
            }
            None => {
                self.pool.push(data);
                self.named.insert(name.into(), (self.pool.len() - 1, tensor.clone()));
            }
        }
        Ok(())
    }

    fn write_f32(&mut self, name: &str, values: &[f32]) -> Result<(), DeviceError> {
        let x = self.named_mut(name, DType::F32, values.len())?;
        let Data::Float(x) = x else { unreachable!("its type was checked") };
        x.iter_mut().zip(values).for_each(|(x, &v)| *x = T::from_f32(v));
        self.counters.uploaded += size_of_val(values) as u64;
        Ok(())
    }

    fn write_u32(&mut self, name: &str, values: &[u32]) -> Result<(), DeviceError> {
        let x = self.named_mut(name, DType::U32, values.len())?;
        let Data::Ids(x) = x else { unreachable!("its type was checked") };
        x[..values.len()].copy_from_slice(values);
        self.counters.uploaded += size_of_val(values) as u64;
        Ok(())
    }

    fn read_f32(&mut self, name: &str) -> Result<Vec<f32>, DeviceError> {
        let Data::Float(x) = self.named_mut(name, DType::F32, 0)? else { unreachable!("its type was checked") };
        Ok(x.iter().map(|v| v.value() as f32).collect())
    }

    fn prepare(&mut self, plan: Plan) -> Result<Prepared, DeviceError> {
        let mut inputs = vec![];
        for (name, tensor) in &plan.inputs {
            match self.named.get(name) {
                Some((index, present)) if present == tensor => inputs.push(*index),
                other => {
                    let present = other.map_or("missing".into(), |(_, t)| t.to_string());
                    return Err(DeviceError::Mismatch { name: name.clone(), needed: tensor.to_string(), present });
                }
            }
        }
        let slots = share_slots(&plan.slots, &mut self.slots, |dtype, index, len| match index {
            None => {
                self.pool.push(Data::new(dtype, len)?);
                Ok(Some(self.pool.len() - 1))
            }
            Some(index) => match (&self.pool[index], dtype) {
                (Data::Float(_), DType::F32) | (Data::Ids(_), DType::U32) => {
                    self.pool[index].grow(len)?;
                    Ok(Some(index))
                }
                _ => Ok(None),
            },
        })?;
        self.plans.push(Ready { plan, slots, inputs });
        Ok(Prepared(self.plans.len() - 1))
    }

    fn fill_slots(&mut self, bits: u32) {
        for &slot in &self.slots {
            match &mut self.pool[slot] {
                Data::Float(x) => x.fill(T::from_f32(f32::from_bits(bits))),
                Data::Ids(x) => x.fill(bits),
            }
        }
    }

    fn run(&mut self, plan: Prepared, log: bool) -> Result<(), DeviceError> {
        self.run_part(plan, 0..self.plans[plan.0].plan.steps.len())?;
        if log {
            let fetches = 0..self.plans[plan.0].plan.fetches.len();
            let record = fetches.flat_map(|i| self.fetch(plan, i)).map(|v| v.value() as f32).collect();
            self.log.push(record);
        }
        Ok(())
    }

    fn read_bits(&mut self, plan: Prepared, region: &Region) -> Result<Vec<u32>, DeviceError> {
        Ok(match self.region(&self.plans[plan.0], region) {
            Slice::Float(x) => x.iter().map(|v| (v.value() as f32).to_bits()).collect(),
            Slice::Ids(x) => x.to_vec(),
        })
    }

    fn run_part(&mut self, plan: Prepared, steps: Range<usize>) -> Result<(), DeviceError> {
        let ready =
            std::mem::replace(&mut self.plans[plan.0], Ready { plan: Plan::empty(), slots: vec![], inputs: vec![] });
        for step in &ready.plan.steps[steps] {
            self.execute(&ready, step);
        }
        self.counters.submits += 1;
        self.plans[plan.0] = ready;
        Ok(())
    }

    fn profile(&mut self, plan: Prepared) -> Result<Profile, DeviceError> {
        let mut steps = vec![];
        for step in 0..self.plans[plan.0].plan.steps.len() {
            let start = Instant::now();
            self.run_part(plan, step..step + 1)?;
            steps.push(start.elapsed().as_secs_f64());
        }
        Ok(Profile { steps, clock: Clock::Wall })
    }

    fn counters(&self) -> Counters {
        Counters { held: self.pool.iter().map(Data::bytes).sum::<usize>() as u64, ..self.counters }
    }

    fn logged(&mut self, _wait: bool) -> Result<Vec<Vec<f32>>, DeviceError> {
        Ok(std::mem::take(&mut self.log))
    }

    fn fetch_f32(&mut self, plan: Prepared, index: usize) -> Result<Vec<f32>, DeviceError> {
        fetched(&self.plans[plan.0].plan, index, DType::F32)?;
        Ok(self.fetch(plan, index).iter().map(|v| v.value() as f32).collect())
    }

    fn fetch_u32(&mut self, plan: Prepared, index: usize) -> Result<Vec<u32>, DeviceError> {
        let ready = &self.plans[plan.0];
        match self.region(ready, &fetched(&ready.plan, index, DType::U32)?) {
            Slice::Ids(x) => Ok(x.to_vec()),
            Slice::Float(_) => unreachable!("its type was checked"),
        }
    }
}
