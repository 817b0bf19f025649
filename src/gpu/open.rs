//! Opening an adapter: unless more are asked for one device each, made behind a lock (concurrent creation crashes
//! several drivers).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use super::adapter::{AdapterInfo, Limits, OpenError, sorted};
use super::context::Context;

/// Opens the first adapter whose label contains `wanted`, in any case; each adapter once a process for each kind of
/// limits and each number.
pub(super) fn open(wanted: &str, limits: Limits, number: usize) -> Result<Arc<Context>, OpenError> {
    type Open = HashMap<(String, Limits, usize), Arc<Context>>;
    static OPEN: OnceLock<Mutex<Open>> = OnceLock::new();
    let mut open = OPEN.get_or_init(Mutex::default).lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let adapters = sorted();
    if adapters.is_empty() {
        return Err(OpenError::NoAdapter);
    }
    let matches = |info: &AdapterInfo| info.label().to_lowercase().contains(&wanted.to_lowercase());
    let present = || {
        adapters
            .iter()
            .map(|(info, _)| format!("`{}`", info.label()))
            .chain(["`cpu`".into()])
            .collect::<Vec<_>>()
            .join(", ")
    };
    let Some((info, adapter)) = adapters.iter().find(|(info, _)| matches(info)) else {
        return Err(OpenError::Unknown { wanted: wanted.into(), present: present() });
    };
    let key = (info.label(), limits, number);
    if let Some(context) = open.get(&key) {
        return Ok(context.clone());
    }
    let context = Arc::new(Context::new(adapter, info.clone(), limits)?);
    open.insert(key, context.clone());
    Ok(context)
}
