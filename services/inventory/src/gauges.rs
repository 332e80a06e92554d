//! What an operator is to see of prices: breaches of the caps (S11).

use std::time::Duration;

use decider::Service;
use inventory_domain::Stock;
use service_kit::partition::Partition;

const EVERY: Duration = Duration::from_secs(15);

/// Keeps the number of an area's breaches up to date, for ever. Areas without
/// one are told too, so that the first is seen as a rise.
///
/// # Errors
/// Never; it has the form of a supervised task.
pub async fn keep(partition: Partition<Stock>) -> anyhow::Result<()> {
    loop {
        let breaches = partition.peek(|machine| machine.state().cap_breaches());
        for (area, count) in breaches {
            #[allow(clippy::cast_precision_loss)]
            metrics::gauge!(
                "baogong_price_cap_breaches",
                "service" => Service::Inventory.name(),
                "partition" => partition.number().to_string(),
                "area" => area.to_string()
            )
            .set(count as f64);
        }
        tokio::time::sleep(EVERY).await;
    }
}
