//! `#[derive(Facts)]`: from a struct of facts, what can be read and changed of a resource.
//!
//! ```ignore
//! #[derive(Debug, Clone, Default, PartialEq, Facts)]
//! pub struct Queue {
//!     /// Its tags; none reads as an empty map.
//!     #[fact(tags, read("sqs:ListQueueTags"))]
//!     pub tags: Observed<Tags>,
//!     /// Its policy, byte for byte.
//!     #[fact(read("sqs:GetQueueAttributes"), write("sqs:SetQueueAttributes"))]
//!     pub policy: Observed<String>,
//! }
//! ```
//!
//! writes `enum QueueFact { Tags, Policy }`, `enum QueueChange { Policy(Option<String>) }`, both traits' implementations
//! ([`State`], [`Change`]) and serde's: a fact that was not read is left out, one that is absent is `null`.
//!
//! On a field, in `#[fact(…)]`:
//!
//! | | |
//! |---|---|
//! | `read("…", …)` | the IAM actions of its read |
//! | `write("…", …)` | the IAM actions of its write: it is set as a whole, so there is a change for it |
//! | `tags` | it is the resource's tags |
//! | `name = Description` | the fact's name where it is not the field's; fields that one call reads may share one |
//! | `required` | it can be set, never taken away: its change has no `None` |
//! | `policy` | it is a resource policy: deleted principals are left out of what is written; if `required`, a `RevisedPolicy` |
//! | `absent = path` | what it is once it was taken away, where that is not nothing: a function without arguments |
//! | `undo = path` | what undoes a change, where that is not the value before: a function from the value before |
//! | `change = SetAlias` | the change's name where it is not the fact's: the ledger knows it by that |
//! | `group = 1` | changes of different groups may be made at the same time |
//! | `apply_order = 1`, `restore_order = 1` | lower ones are made first, in enforcement and in a restore |
//!
//! On the struct, in `#[facts(…)]`: `change = Remedy` where its changes are written by hand, as a type that implements `Change`;
//! and, for each thing beside its fields that is read or done, `also(Name, read("…"), write("…"))`.
//!
//! [`State`]: ../portcullis_core/trait.State.html
//! [`Change`]: ../portcullis_core/trait.Change.html

mod expand;
mod parse;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Writes what can be read and changed of a resource from a struct of facts.
#[proc_macro_derive(Facts, attributes(facts, fact))]
pub fn facts(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    parse::Facts::parse(&input)
        .map_or_else(|error| error.to_compile_error(), |facts| expand::expand(&facts))
        .into()
}
