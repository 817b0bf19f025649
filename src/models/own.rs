//! Models of other crates in a configuration.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Model;

/// A model that wgrad does not have: its name, and how to build it. A run's `config.toml` says the first; who opens the
/// run again brings the second (`RunDirectory::resume_own`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnModel {
    pub name: String,
    /// Probability with which training sets an activation to zero.
    pub dropout: f32,
    #[serde(skip)]
    build: Builder,
}

impl OwnModel {
    /// `build` makes the model over vocabularies of these sizes, source and target.
    pub fn new(name: &str, dropout: f32, build: impl Fn([usize; 2]) -> Arc<dyn Model> + Send + Sync + 'static) -> Self {
        Self { name: name.into(), dropout, build: Builder(Some(Arc::new(build))) }
    }

    pub(super) fn build(&self, vocabularies: [usize; 2]) -> Arc<dyn Model> {
        let build = self.build.0.as_ref().expect("`Config::from_toml` refuses a model without its builder");
        build(vocabularies)
    }
}

type Build = dyn Fn([usize; 2]) -> Arc<dyn Model> + Send + Sync;

/// Nothing of it is written down, and so nothing compared.
#[derive(Clone, Default)]
struct Builder(Option<Arc<Build>>);

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Builder")
    }
}

impl PartialEq for Builder {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
