//! Is every kernel right on this device? Runs the ops' cases and holds every number to the bound of the tracked
//! reference.
//!
//! [`check_op`] compares a device with the reference, case by case; [`check_gradients`] compares its derivatives with
//! finite differences and needs no device. `wgrad check` and the tests call both over `ops::OPS`. [`check_steps`] does
//! the same with a whole plan, step by step, on the inputs that its steps really get.

mod compare;
mod gradient;
mod kernels;
pub mod mutation;
mod op;
mod step;
#[cfg(test)]
mod tests;
mod watch;
mod work;

pub use compare::{Compared, Expected, Problem, Worst, compare, difference, expected, overrun, plan_of, run_twice};
pub use kernels::{Kernels, targets};
pub use op::{DeviceUnderTest, Event, Failure, Open, Row, Slow, check_gradients, check_op};
pub use step::{StepRow, check_steps};
pub use watch::still_running;
