//! End to end: the real Lambda binaries, the Lambda runtime API, a local AWS.
