//! The documents, with what they were made from.

use portcullis_core::Settings;
use portcullis_guardrails::{Generated, KeyValues, Selection, Values, generate, with_parameters};

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

/// `deploy/guardrails.yaml`: what the default settings come to, with parameters for what each organisation has of its own.
pub fn template_with_parameters() -> Result<String, Error> {
    let values = Values::from_settings(&Settings::default(), KeyValues::default());
    let text = with_parameters(values).map_err(|error| Error::Refused(error.to_string()))?;
    Ok(format!(
        "# Written by `make docs` from the default settings. With settings of your own: `portcullis guardrails --out DIR`, which writes one.\n{text}"
    ))
}
