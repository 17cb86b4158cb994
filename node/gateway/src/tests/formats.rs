//! Receipts that earlier programs kept.

use hearth_base::Amount;
use hearth_store::testing::first_form;

use crate::receipt::{Outcome, Receipts};

#[tokio::test]
async fn receipts_of_the_first_form_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = first_form(folder.path()).await;
    let receipts = Receipts::new(store.clone());
    let all = receipts.newest(100, 0).await.unwrap();
    assert_eq!(all.len(), 6);
    assert_eq!(all[0].id.to_string(), "01a227c6-4b8f-710c-b95e-fddb6c3ddc1b");
    assert_eq!((all[0].bytes, all[1].bytes), (341, 236));
    for receipt in &all {
        assert_eq!(receipt.price, Amount::from_upokt(42_000));
        assert_eq!(receipt.service.as_str(), "smollm2-135m-instruct");
        assert_eq!((receipt.status, &receipt.outcome), (200, &Outcome::Complete));
        assert!(receipt.relay.is_some());
        assert_eq!(receipt.asker, None, "nobody wrote down who asked");
        assert_eq!(receipts.get(receipt.id).await.unwrap().as_ref(), Some(receipt));
    }
    assert_eq!(store.problems().all(), Vec::<String>::new());
    // One that cannot be read hides no other, and is told by its name.
    sqlx::query("UPDATE gateway_receipts SET price_upokt = 'much' WHERE id = ?")
        .bind(all[0].id.to_string())
        .execute(store.pool())
        .await
        .unwrap();
    assert_eq!(receipts.newest(100, 0).await.unwrap(), all[1..]);
    assert!(store.problems().all()[0].contains(&all[0].id.to_string()));
}
