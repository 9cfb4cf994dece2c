//! Names, looked up once by us and pinned: the address that was checked is the one that is used.
//!
//! The guest resolves nothing. A name is looked up when the policy has allowed it, its addresses
//! are kept for [`Limits::pin`](crate::Limits::pin), and nothing that a name server says meanwhile
//! changes them. No search list is applied. Failures are not kept. Fails with a [`Refusal`].

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use thiserror::Error;
use tokio::sync::Mutex;

use crate::host::Host;
use crate::limits::{Limits, MAX_ADDRESSES};
use crate::refusal::{Reason, Refusal};

/// Who is asked for addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameServers {
    /// Those of the host, and its file of hosts.
    System,
    /// These and no file.
    These(Vec<SocketAddr>),
}

/// A resolver that cannot be set up.
#[derive(Debug, Error)]
#[error("the host's name servers cannot be read ({0}); name some in the configuration of egress")]
pub struct NoNameServers(String);

/// The names of one door.
pub(crate) struct Names {
    resolver: TokioResolver,
    pins: Mutex<HashMap<String, Pin>>,
    lookup: Duration,
    pin: Duration,
}

/// As many as the budget has hosts, because a host is counted before it is looked up.
type Addresses = Arc<[IpAddr]>;

struct Pin {
    addresses: Addresses,
    until: Instant,
}

impl Names {
    pub(crate) fn new(servers: &NameServers, limits: &Limits) -> Result<Self, NoNameServers> {
        Ok(Self {
            resolver: resolver(servers, limits).map_err(NoNameServers)?,
            pins: Mutex::default(),
            lookup: limits.lookup,
            pin: limits.pin,
        })
    }

    /// The addresses of a host, in the order in which they are tried.
    pub(crate) async fn addresses(&self, host: &Host) -> Result<Addresses, Refusal> {
        let name = match host {
            Host::Address(address) => return Ok(Arc::new([*address])),
            Host::Name(name) => name,
        };
        // Held over the lookup: of two requests for one name the second gets the first one's pin.
        let mut pins = self.pins.lock().await;
        if let Some(pin) = pins.get(name).filter(|pin| Instant::now() < pin.until) {
            return Ok(Arc::clone(&pin.addresses));
        }
        let addresses = self.look_up(name).await?;
        let pin = Pin {
            addresses: Arc::clone(&addresses),
            until: Instant::now() + self.pin,
        };
        pins.insert(name.clone(), pin);
        Ok(addresses)
    }

    async fn look_up(&self, name: &str) -> Result<Addresses, Refusal> {
        let unknown = |why: &str| {
            let detail = format!("`{name}` has no address: {why}");
            Refusal::new(Reason::UnknownName, detail).or("correct the name")
        };
        // The dot at the end keeps search lists out.
        let lookup = self.resolver.lookup_ip(format!("{name}."));
        let found = match tokio::time::timeout(self.lookup, lookup).await {
            Err(_) => return Err(unknown("the name servers do not answer")),
            Ok(Err(_)) => return Err(unknown("the name servers know none")),
            Ok(Ok(found)) => found,
        };
        let addresses: Addresses = found.iter().take(MAX_ADDRESSES).collect();
        if addresses.is_empty() {
            return Err(unknown("the name servers know none"));
        }
        Ok(addresses)
    }
}

fn resolver(servers: &NameServers, limits: &Limits) -> Result<TokioResolver, String> {
    let mut builder = match servers {
        NameServers::System => TokioResolver::builder_tokio().map_err(|error| error.to_string())?,
        NameServers::These(servers) => {
            let servers = servers.iter().copied().map(name_server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.timeout = limits.lookup;
    options.attempts = 1;
    // What is remembered is what was checked: in the pins, and nowhere else.
    options.cache_size = 0;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = match servers {
        NameServers::System => ResolveHosts::Auto,
        NameServers::These(_) => ResolveHosts::Never,
    };
    builder.build().map_err(|error| error.to_string())
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let at = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())];
    NameServerConfig::new(address.ip(), true, connections)
}
