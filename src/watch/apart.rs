//! Do primary, standby and store stand apart? What takes one of them away must not take the other two.

use super::probe::PATIENCE;
use super::{Sheet, State};
use crate::cli::Site;
use crate::db::{Server, within};
use std::net::{IpAddr, Ipv4Addr};

/// Where a server is, as seen from the machine of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// On this machine.
    Here,
    At(IpAddr),
}

pub(super) fn look(_site: &Site, sheet: &mut Sheet, servers: [&Server; 2], answers: [bool; 2]) {
    let places: Vec<Option<Place>> =
        servers.iter().zip(answers).map(|(server, answers)| answers.then(|| place(server)).flatten()).collect();
    let (Some(primary), Some(standby)) = (places[0], places[1]) else {
        sheet.add("apart", State::Unknown, "where the servers are is not known while one of them does not answer");
        return;
    };
    let shared = shared(primary, standby, &std::fs::read_to_string("/proc/net/route").unwrap_or_default());
    let state = if shared.is_empty() { State::Ok } else { State::Warning };
    let text = if shared.is_empty() { "primary, standby and store stand apart".to_owned() } else { shared.join("; ") };
    sheet.add("apart", state, text).hint(
        "give the standby a machine, a power supply and a line of its own; if you live with it: accept = [\"apart\"] in [watch].",
    );
}

/// The address at which the server was reached; here, when we reached it from that very address.
fn place(server: &Server) -> Option<Place> {
    let server = server.clone();
    within(PATIENCE, move || {
        let mut client = server.connect_within("postgres", PATIENCE).ok()?;
        let row = client.query_one(crate::sql!("watch/addresses.sql"), &[]).ok()?;
        let (theirs, ours): (Option<IpAddr>, Option<IpAddr>) = (row.get(0), row.get(1));
        Some(match theirs {
            Some(at) if !at.is_loopback() && theirs != ours => Place::At(at),
            _ => Place::Here,
        })
    })?
}

/// What they share, in words.
fn shared(primary: Place, standby: Place, routes: &str) -> Vec<String> {
    let mut found = Vec::new();
    match (primary, standby) {
        (Place::Here, Place::Here) => found.push("primary, standby and store share this machine".to_owned()),
        (Place::Here, Place::At(_)) => found.push("primary and store share this machine".to_owned()),
        (Place::At(_), Place::Here) => found.push("standby and store share this machine".to_owned()),
        (Place::At(a), Place::At(b)) if a == b => found.push(format!("primary and standby share the host {a}")),
        (Place::At(a), Place::At(b)) => {
            if same_subnet(a, b) {
                found.push(format!("primary ({a}) and standby ({b}) share a subnet"));
            }
            let gateways = (gateway(a, routes), gateway(b, routes));
            if let (Some(one), Some(other)) = gateways
                && one == other
            {
                found.push(format!("primary and standby are both reached through the gateway {one}"));
            }
        }
    }
    found
}

/// The same /24 or /64: most often one switch, one router, one room.
fn same_subnet(a: IpAddr, b: IpAddr) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a.octets()[..3] == b.octets()[..3],
        (IpAddr::V6(a), IpAddr::V6(b)) => a.segments()[..4] == b.segments()[..4],
        _ => false,
    }
}

/// The gateway that the kernel's table (`/proc/net/route`) has for an address; `None` when it is reached directly.
fn gateway(to: IpAddr, routes: &str) -> Option<Ipv4Addr> {
    let IpAddr::V4(to) = to else { return None };
    let number = |field: &str| u32::from_str_radix(field, 16).ok().map(u32::swap_bytes);
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (net, via, mask) = (number(fields.get(1)?)?, number(fields.get(2)?)?, number(fields.get(7)?)?);
        (u32::from(to) & mask == net).then_some((mask, via))
    };
    let (_, via) = routes.lines().skip(1).filter_map(route).max_by_key(|(mask, _)| *mask)?;
    (via != 0).then(|| Ipv4Addr::from(via))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
        eth0 00000000 0101A8C0 0003 0 0 0 00000000 0 0 0\n\
        eth0 0001A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n";

    fn at(text: &str) -> Place {
        Place::At(text.parse().unwrap())
    }

    #[test]
    fn what_is_shared_is_named() {
        let shared = |a, b| shared(a, b, ROUTES);
        assert_eq!(shared(at("192.168.1.10"), at("10.9.0.1")), Vec::<String>::new());
        assert_eq!(
            shared(at("192.168.1.10"), at("192.168.1.20")),
            ["primary (192.168.1.10) and standby (192.168.1.20) share a subnet"]
        );
        assert_eq!(
            shared(at("10.1.0.1"), at("10.2.0.1")),
            ["primary and standby are both reached through the gateway 192.168.1.1"]
        );
        assert_eq!(shared(at("10.1.0.1"), at("10.1.0.1")), ["primary and standby share the host 10.1.0.1"]);
        assert_eq!(shared(at("10.1.0.1"), Place::Here), ["standby and store share this machine"]);
    }
}
