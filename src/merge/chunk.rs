//! Which units go into one transaction: a document never lies in two, and nothing comes before what it depends on.
//!
//! Documents tie units together in both directions, so with what lies between them they form knots (strongly connected
//! components) of the graph of dependence. Knots are put in an order in which each follows what it depends on, the
//! earliest first, and cut into chunks.

use super::statements::{Statements, run};
use super::target::Target;
use crate::db::{Transaction, sql};
use crate::error::{Cannot, Error, Result};
use minijinja::value::Serde;
use minijinja::{Value, context};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{BufRead, BufReader, Write};

/// Units of one transaction, when documents allow it. Small enough that no window of the primary waits long for a row it
/// shares with a chunk.
const UNITS: usize = 1000;

/// Numbers the chunks of the staged units from 1; gives how many there are.
pub fn number(tx: &mut Transaction<'_>, last: i64, targets: &[Target]) -> Result<i32> {
    let doing = "put the units into an order";
    let documents: bool = tx.query_one(crate::sql!("merge/has_documents.sql"), &[]).cannot(doing)?.get(0);
    let units = usize::try_from(last).unwrap_or(0);
    let chunks = if documents {
        let edges = edges(tx, targets)?;
        cut(&order(&knots(units, &edges), &edges), UNITS)
    } else {
        (0..units).map(|u| small(u / UNITS + 1)).collect()
    };
    tx.batch_execute(crate::sql!("merge/make_chunks.sql")).cannot(doing)?;
    let mut writer = tx.copy_in(crate::sql!("merge/copy_chunks.sql")).cannot(doing)?;
    for (u, chunk) in (1..).zip(&chunks) {
        writeln!(writer, "{u}\t{chunk}").cannot(doing)?;
    }
    writer.finish().cannot(doing)?;
    set(tx, targets)?;
    Ok(i32::try_from(chunks.iter().max().copied().unwrap_or(0)).unwrap_or(i32::MAX))
}

/// All dependence among the units, read as it comes: millions of rows at once would be hundreds of megabytes.
fn edges(tx: &mut Transaction<'_>, targets: &[Target]) -> Result<Vec<(u32, u32)>> {
    let doing = "put the units into an order";
    let key_rules: Vec<usize> = targets.iter().map(|t| t.key_rule).collect();
    let text = sql::render(crate::sql!("merge/edges_of_all.sql"), context! { key_rules })?;
    let reader = BufReader::new(tx.copy_out(&text).cannot(doing)?);
    let mut edges: Vec<(u32, u32)> = Vec::new();
    for line in reader.lines() {
        let line = line.cannot(doing)?;
        let number = |text: &str| text.parse::<u32>().ok().and_then(|n| n.checked_sub(1));
        let edge = line.split_once('\t').and_then(|(from, on)| Some((number(from)?, number(on)?)));
        edges.push(edge.ok_or_else(|| Error::failed(doing, format!("'{line}' is no pair of units")))?);
    }
    Ok(edges)
}

/// Units, knots and edges are counted in 32 bits: half the memory, and no event has 4 thousand million of them.
fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Notes the chunk of each unit, from a table of both, and finds the rows that a chunk changes several times.
pub fn set(to: &mut impl Statements, targets: &[Target]) -> Result<()> {
    let doing = "put the units into an order";
    to.take(crate::sql!("merge/set_chunks.sql"), doing)?;
    for target in targets {
        run(to, crate::sql!("merge/pass_table.sql"), Value::from(Serde(target)), doing)?;
    }
    Ok(())
}

/// Lists one after the other: that of node `n` is `to[start[n]..start[n + 1]]`.
struct Graph {
    start: Vec<u32>,
    to: Vec<u32>,
}

impl Graph {
    fn of(nodes: usize, edges: impl Iterator<Item = (u32, u32)> + Clone) -> Graph {
        let mut start = vec![0; nodes + 1];
        edges.clone().for_each(|(from, _)| start[from as usize + 1] += 1);
        for n in 0..nodes {
            start[n + 1] += start[n];
        }
        let (mut next, mut to) = (start.clone(), vec![0; start[nodes] as usize]);
        for (from, target) in edges {
            to[next[from as usize] as usize] = target;
            next[from as usize] += 1;
        }
        Graph { start, to }
    }

    fn list(&self, node: u32) -> &[u32] {
        &self.to[self.start[node as usize] as usize..self.start[node as usize + 1] as usize]
    }

    fn nodes(&self) -> u32 {
        small(self.start.len() - 1)
    }
}

/// The knot of each unit, by Tarjan's algorithm without recursion.
fn knots(units: usize, edges: &[(u32, u32)]) -> Vec<u32> {
    const NONE: u32 = u32::MAX;
    let graph = Graph::of(units, edges.iter().copied());
    let (mut index, mut low, mut knot) = (vec![NONE; units], vec![0; units], vec![NONE; units]);
    let (mut open, mut counter, mut found) = (Vec::new(), 0, 0);
    for root in 0..graph.nodes() {
        if index[root as usize] != NONE {
            continue;
        }
        let mut path = vec![(root, graph.start[root as usize])];
        while let Some(&mut (unit, ref mut edge)) = path.last_mut() {
            let node = unit as usize;
            if index[node] == NONE {
                (index[node], low[node]) = (counter, counter);
                counter += 1;
                open.push(unit);
            }
            if *edge < graph.start[node + 1] {
                let to = graph.to[*edge as usize];
                *edge += 1;
                if index[to as usize] == NONE {
                    path.push((to, graph.start[to as usize]));
                } else if knot[to as usize] == NONE {
                    low[node] = low[node].min(index[to as usize]);
                }
                continue;
            }
            path.pop();
            if let Some((parent, _)) = path.last() {
                low[*parent as usize] = low[*parent as usize].min(low[node]);
            }
            if low[node] == index[node] {
                while let Some(member) = open.pop() {
                    knot[member as usize] = found;
                    if member == unit {
                        break;
                    }
                }
                found += 1;
            }
        }
    }
    knot
}

/// The units of each knot, knots in an order in which each follows those it depends on.
fn order(knot: &[u32], edges: &[(u32, u32)]) -> Graph {
    let count = knot.iter().max().map_or(0, |k| *k as usize + 1);
    let members = Graph::of(count, (0..).zip(knot).map(|(unit, k)| (*k, unit)));
    let between = |(from, on): &(u32, u32)| {
        let (from, on) = (knot[*from as usize], knot[*on as usize]);
        (from != on).then_some((on, from))
    };
    let followers = Graph::of(count, edges.iter().filter_map(between));
    let mut waits = vec![0u32; count];
    followers.to.iter().for_each(|k| waits[*k as usize] += 1);
    let first = |k: u32| members.list(k)[0];
    let mut ready: BinaryHeap<Reverse<(u32, u32)>> =
        (0..members.nodes()).filter(|k| waits[*k as usize] == 0).map(|k| Reverse((first(k), k))).collect();
    let mut ordered = Graph { start: vec![0], to: Vec::with_capacity(knot.len()) };
    while let Some(Reverse((_, k))) = ready.pop() {
        for follower in followers.list(k) {
            waits[*follower as usize] -= 1;
            if waits[*follower as usize] == 0 {
                ready.push(Reverse((first(*follower), *follower)));
            }
        }
        ordered.to.extend_from_slice(members.list(k));
        ordered.start.push(small(ordered.to.len()));
    }
    ordered
}

/// The chunk of each unit, from 1: whole knots, `size` units or as many more as the last knot has. Up to twice as many are
/// waited for a place where nothing earlier is left behind: official numbers are given chunk by chunk, and so follow the
/// order of the units wherever no document is open across such a stretch.
fn cut(knots: &Graph, size: usize) -> Vec<u32> {
    let mut chunks = vec![0; knots.to.len()];
    let (mut chunk, mut filled, mut placed, mut end) = (1, 0, 0, 0);
    for knot in (0..knots.nodes()).map(|k| knots.list(k)) {
        if filled >= 2 * size || filled >= size && placed == end {
            (chunk, filled) = (chunk + 1, 0);
        }
        for unit in knot {
            chunks[*unit as usize] = chunk;
            end = end.max(*unit as usize + 1);
        }
        filled += knot.len();
        placed += knot.len();
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(units: usize, edges: &[(u32, u32)], size: usize) -> Vec<u32> {
        cut(&order(&knots(units, edges), edges), size)
    }

    #[test]
    fn without_documents_units_keep_their_order() {
        assert_eq!(chunks(5, &[(1, 0), (4, 2)], 2), [1, 1, 2, 2, 3]);
    }

    #[test]
    fn a_document_lies_in_one_chunk_and_follows_what_it_depends_on() {
        // Units 0 and 4 are a document; 4 depends on 3, which depends on 1.
        let edges = [(0, 4), (4, 0), (4, 3), (3, 1)];
        assert_eq!(chunks(5, &edges, 1), [2, 1, 1, 2, 2]);
    }

    #[test]
    fn a_chunk_ends_where_nothing_earlier_is_left_behind() {
        assert_eq!(chunks(6, &[(0, 2), (2, 0)], 2), [1, 1, 1, 2, 2, 3]);
    }

    #[test]
    fn what_lies_on_a_circle_through_a_document_belongs_to_it() {
        let edges = [(0, 2), (2, 0), (2, 1), (1, 0)];
        assert_eq!(chunks(4, &edges, 1), [1, 1, 1, 2]);
    }
}
