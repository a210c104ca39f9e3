//! The account's own public access block.

use portcullis_tests::{Answered, Subject, World, round_trip};

#[tokio::test]
async fn holes_in_the_accounts_block_are_closed_and_come_back() {
    let world = World::new().await;
    let block = world.account_block();
    block.put([true, true, true, false]).await;
    let arranged = block
        .broken_by("PutAccountPublicAccessBlock")
        .told("HIGH", "remediated")
        .fixed_by(&["PutPublicAccessBlock"])
        .right("block", "all four")
        .undone_by(&["PutPublicAccessBlock"]);
    round_trip("s3-account-public-access-block", arranged).await;
}

#[tokio::test]
async fn by_default_the_accounts_block_is_told_and_left() {
    let world = World::new().await;
    let block = world.account_block();
    let function = world.function().start().await;
    let invocation = function
        .invoke(block.call("DeleteAccountPublicAccessBlock").event())
        .await;
    assert_eq!(invocation.outcome(), "would-remediate");
    assert_eq!(block.snapshot().await["block"], "absent");
    assert_eq!(world.alerts().await.len(), 1);
}
