//! The account's own public access block.

use portcullis_tests::settings::only;
use portcullis_tests::{Answered, Expected, World, round_trip};

#[tokio::test]
async fn the_accounts_block_is_put_and_deleted_again() {
    let world = World::new().await;
    let expected = Expected {
        control: "s3-account-public-access-block",
        call: "DeleteAccountPublicAccessBlock",
        settings: &only(&["s3-account-public-access-block"], ""),
        told: ("HIGH", "remediated"),
        changes: &[("block", "all four")],
        no_way_back: &[],
    };
    round_trip(&world.account_block(), expected).await;
}

#[tokio::test]
async fn holes_in_the_accounts_block_are_closed_and_come_back() {
    let world = World::new().await;
    let block = world.account_block();
    block.put([true, true, true, false]).await;
    let expected = Expected {
        control: "s3-account-public-access-block",
        call: "PutAccountPublicAccessBlock",
        settings: &only(&["s3-account-public-access-block"], ""),
        told: ("HIGH", "remediated"),
        changes: &[("block", "all four")],
        no_way_back: &[],
    };
    round_trip(&block, expected).await;
}

#[tokio::test]
async fn by_default_the_accounts_block_is_told_and_left() {
    use portcullis_tests::Subject;

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
