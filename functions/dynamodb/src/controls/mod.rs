//! One file a control, named after it. A new one is another line here.

mod dynamodb_stream_external_access;
mod dynamodb_stream_public_policy;
mod dynamodb_table_deletion_protection;
mod dynamodb_table_encryption;
mod dynamodb_table_external_access;
mod dynamodb_table_point_in_time_recovery;
mod dynamodb_table_public_policy;

use portcullis_core::{Control, Typed};

use crate::table::{TYPE, Table};

/// Tables with their controls.
pub const TABLES: Typed<Table> = Typed::new(&TYPE, TABLE);

/// The controls of tables, in the order in which their remedies build on each other.
const TABLE: &[Control<Table>] = &[
    dynamodb_table_public_policy::CONTROL,
    dynamodb_table_external_access::CONTROL,
    dynamodb_stream_public_policy::CONTROL,
    dynamodb_stream_external_access::CONTROL,
    dynamodb_table_encryption::CONTROL,
    dynamodb_table_point_in_time_recovery::CONTROL,
    dynamodb_table_deletion_protection::CONTROL,
];
