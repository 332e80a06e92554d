//! Several servers that form a cluster, all on the loopback interface.

use std::path::Path;

use super::{ClusterOptions, NatsServer, ServerError, ServerOptions, free_ports};

/// See [`Cluster::start`].
#[derive(Debug)]
pub struct Cluster {
    pub members: Vec<NatsServer>,
}

impl Cluster {
    /// Starts `count` members with their stores below `dir`. JetStream answers
    /// a moment later, when they have found each other.
    ///
    /// # Errors
    /// One of them does not come up.
    pub fn start(count: usize, dir: &Path) -> Result<Self, ServerError> {
        let ports = free_ports(count)?;
        let members = ports
            .iter()
            .enumerate()
            .map(|(n, port)| {
                NatsServer::start(ServerOptions {
                    store_dir: dir.join(n.to_string()),
                    cluster: Some(ClusterOptions {
                        cluster_name: "baogong".into(),
                        server_name: format!("n{n}"),
                        port: *port,
                        members: ports.clone(),
                    }),
                    ..ServerOptions::default()
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { members })
    }

    /// For clients: all members, separated by commas.
    #[must_use]
    pub fn url(&self) -> String {
        let urls: Vec<_> = self.members.iter().map(NatsServer::url).collect();
        urls.join(",")
    }

    /// The member with this name.
    pub fn member(&mut self, name: &str) -> Option<&mut NatsServer> {
        self.members.iter_mut().find(|member| member.name() == name)
    }
}
