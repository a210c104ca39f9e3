//! The documents, with what they were made from.

use portcullis_guardrails::{Generated, Selection, Values, generate};

use super::inputs::Inputs;
use crate::error::Error;

/// The documents, with what they were made from.
pub struct Made {
    pub values: Values,
    pub selection: Selection,
    pub generated: Generated,
}

impl Made {
    /// What settings and command line come to; refused where they can't be expressed.
    pub fn of(inputs: &Inputs) -> Result<Self, Error> {
        let (values, selection) = inputs.read()?;
        let generated = generate(&values, &selection).map_err(|error| Error::Refused(error.to_string()))?;
        Ok(Self {
            values,
            selection,
            generated,
        })
    }
}
