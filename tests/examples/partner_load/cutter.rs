//! Stands between the firms and the suite and cuts every connection after a
//! random time, in the middle of whatever it was about.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub struct Cutter {
    address: SocketAddr,
    cuts: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Cutter {
    pub async fn start(suite: SocketAddr, mean: Duration, seed: u64) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let cuts = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&cuts);
        let mut random = StdRng::seed_from_u64(seed);
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                // Exponential: as likely in its first moment as in any other.
                let life = mean.mul_f64(-random.random_range(f64::EPSILON..1.0).ln());
                let cuts = Arc::clone(&counted);
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(suite).await else {
                        return;
                    };
                    let copy = tokio::io::copy_bidirectional(&mut client, &mut server);
                    if tokio::time::timeout(life, copy).await.is_err() {
                        cuts.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Ok(Self {
            address,
            cuts,
            task,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.task.abort();
    }
}
