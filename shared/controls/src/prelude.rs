//! What the file of a control needs: `use portcullis_controls::prelude::*;`.

pub use portcullis_access::Service;
pub use portcullis_core::{Clause, Control, Finding, Impact, Judgement, Meta, Severity, Switch};

pub use crate::encryption::{With, key_by_level, severity_of_plain};
pub use crate::{ResourcePolicy, external_access, public_policy, smallest_cure, tls_only};
