//! A client of the inventory service that keeps a list of what was acknowledged
//! to it, and compares that with the log.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use bus::{Bus, BusOptions, StreamName};
use bytes::Bytes;
use proto::{
    inventory::v1::{
        Category, DefineProductRequest, inventory_service_client::InventoryServiceClient,
    },
    log::v1::{ReadRequest, log_service_client::LogServiceClient},
};
use tonic::{Code, Status, transport::Channel};

const CALLERS: usize = 16;
const PAUSE: Duration = Duration::from_millis(20);

/// Position of each acknowledged product.
pub type Acknowledged = BTreeMap<String, u64>;

/// A channel that connects when it is used, and again when it broke.
///
/// # Panics
/// The address is none.
#[must_use]
pub fn channel(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}"))
        .expect("an address")
        .connect_timeout(Duration::from_secs(1))
        .timeout(Duration::from_secs(20))
        .connect_lazy()
}

/// # Errors
/// What the service said.
pub async fn define(channel: Channel, product: &str) -> Result<u64, Status> {
    let request = DefineProductRequest {
        request_id: format!("define-{product}"),
        area: "632725100".into(),
        product_id: product.into(),
        name: "flour".into(),
        unit_grams: 1000,
        category: Category::Staple.into(),
    };
    let answer = InventoryServiceClient::new(channel)
        .define_product(request)
        .await?;
    Ok(answer.into_inner().position)
}

/// Defines products one after another.
///
/// # Errors
/// One was not acknowledged.
pub async fn define_all(
    address: SocketAddr,
    prefix: &str,
    count: usize,
) -> anyhow::Result<Acknowledged> {
    let channel = channel(address);
    let mut acknowledged = Acknowledged::new();
    for n in 0..count {
        let product = format!("{prefix}-{n}");
        let position = define(channel.clone(), &product).await?;
        acknowledged.insert(product, position);
    }
    Ok(acknowledged)
}

/// Callers that go on, whatever happens to the service, each making its call
/// again with the same id until it is acknowledged.
pub struct Load {
    acknowledged: Arc<Mutex<Acknowledged>>,
    stop: Arc<AtomicBool>,
    callers: Vec<tokio::task::JoinHandle<Result<(), Status>>>,
}

impl Load {
    /// Must be called within a runtime.
    #[must_use]
    pub fn start(address: SocketAddr) -> Self {
        let acknowledged = Arc::new(Mutex::new(Acknowledged::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let callers = (0..CALLERS)
            .map(|caller| {
                let (acknowledged, stop) = (Arc::clone(&acknowledged), Arc::clone(&stop));
                tokio::spawn(call(caller, channel(address), acknowledged, stop))
            })
            .collect();
        Self {
            acknowledged,
            stop,
            callers,
        }
    }

    /// Waits for so many acknowledgements more than there are now.
    ///
    /// # Errors
    /// They do not come.
    pub async fn more(&self, count: usize) -> anyhow::Result<()> {
        let wanted = self.count() + count;
        let reached = async {
            while self.count() < wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), reached)
            .await
            .with_context(|| format!("{} of {wanted} acknowledged", self.count()))
    }

    /// # Panics
    /// A caller panicked.
    #[must_use]
    pub fn count(&self) -> usize {
        self.acknowledged.lock().expect("no panic").len()
    }

    /// Lets every caller finish its call.
    ///
    /// # Errors
    /// A call was refused in a way that no repetition heals.
    ///
    /// # Panics
    /// A caller panicked.
    pub async fn finish(self) -> anyhow::Result<Acknowledged> {
        self.stop.store(true, Ordering::SeqCst);
        for caller in self.callers {
            caller.await??;
        }
        Ok(self.acknowledged.lock().expect("no panic").clone())
    }
}

async fn call(
    caller: usize,
    channel: Channel,
    acknowledged: Arc<Mutex<Acknowledged>>,
    stop: Arc<AtomicBool>,
) -> Result<(), Status> {
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let product = format!("p-{caller}-{n}");
        let position = loop {
            match define(channel.clone(), &product).await {
                Ok(position) => break position,
                Err(status) if heals(&status) => tokio::time::sleep(PAUSE).await,
                Err(status) => return Err(status),
            }
        };
        acknowledged
            .lock()
            .expect("no panic")
            .insert(product, position);
    }
    Ok(())
}

fn heals(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Cancelled => {
            true
        }
        // A connection that was cut: never a status that a service sent.
        Code::Unknown | Code::Internal => status.details().is_empty(),
        _ => false,
    }
}

/// All records of a running service's log.
///
/// # Errors
/// It cannot be read.
pub async fn log_of(address: SocketAddr) -> anyhow::Result<Vec<Bytes>> {
    let request = ReadRequest {
        from_position: 1,
        ..ReadRequest::default()
    };
    let mut parts = LogServiceClient::new(channel(address))
        .read(request)
        .await?
        .into_inner();
    let mut records = Vec::new();
    while let Some(part) = parts.message().await? {
        records.extend(part.records.into_iter().map(Bytes::from));
    }
    Ok(records)
}

/// All messages of a service's stream, once there are so many.
///
/// # Errors
/// They do not come, or one is not where it must be.
pub async fn stream_of(url: &str, service: &str, count: usize) -> anyhow::Result<Vec<Bytes>> {
    let options = BusOptions {
        url: url.to_owned(),
        name: "system test".to_owned(),
        replicas: 1,
    };
    let bus = Bus::connect(options).await?;
    let mut subscription = bus.subscribe(StreamName::new(service, 0), 1);
    let mut messages = Vec::new();
    while messages.len() < count {
        let more = tokio::time::timeout(Duration::from_secs(60), subscription.next()).await;
        for message in more.context("the stream is not filled")?? {
            ensure!(message.sequence == messages.len() as u64 + 1, "a hole");
            messages.push(message.payload);
        }
    }
    Ok(messages)
}

/// Every acknowledged product is in the log, once, at the position that was
/// told.
///
/// # Errors
/// Names the first one that is not.
pub fn check(acknowledged: &Acknowledged, log: &[Bytes]) -> anyhow::Result<()> {
    let mut found: HashMap<String, Vec<u64>> = HashMap::new();
    for bytes in log {
        let raw = proto::record::decode(bytes)?;
        let entity = raw.stream.as_str().to_owned();
        found.entry(entity).or_default().push(raw.position.0);
    }
    for (product, position) in acknowledged {
        let at = found.get(&format!("product/{product}"));
        ensure!(
            at == Some(&vec![*position]),
            "{product} was acknowledged at {position} and is in the log at {at:?}"
        );
    }
    Ok(())
}
