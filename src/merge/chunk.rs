//! Which units go into one transaction: a document never lies in two, and nothing comes before what it depends on.
//!
//! Documents tie units together in both directions, so with what lies between them they form knots (strongly connected
//! components) of the graph of dependence. Knots are put in an order in which each follows what it depends on, the
//! earliest first, and cut into chunks.

use super::statements::{Statements, run};
use super::target::Target;
use crate::db::{Transaction, sql};
use crate::error::{Cannot, Result};
use minijinja::value::Serde;
use minijinja::{Value, context};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Write;

/// Units of one transaction, when documents allow it. Small enough that no window of the primary waits long for a row it
/// shares with a chunk.
const UNITS: usize = 1000;

/// Numbers the chunks of the staged units from 1; gives how many there are.
pub fn number(tx: &mut Transaction<'_>, last: i64, targets: &[Target]) -> Result<i32> {
    let doing = "put the units into an order";
    let documents: bool = tx.query_one(crate::sql!("merge/has_documents.sql"), &[]).cannot(doing)?.get(0);
    let units = usize::try_from(last).unwrap_or(0);
    let chunks = if documents {
        let mut edges: Vec<(u32, u32)> = Vec::new();
        let key_rules: Vec<usize> = targets.iter().map(|t| t.key_rule).collect();
        let text = sql::render(crate::sql!("merge/edges_of_all.sql"), context! { key_rules })?;
        for row in tx.query(&text, &[]).cannot(doing)? {
            let at = |column| u32::try_from(row.get::<_, i64>(column) - 1).unwrap_or(0);
            edges.push((at(0), at(1)));
        }
        cut(&order(&knots(units, &edges), &edges), UNITS)
    } else {
        (0..units).map(|u| u / UNITS + 1).collect()
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

/// Notes the chunk of each unit, from a table of both, and finds the rows that a chunk changes several times.
pub fn set(to: &mut impl Statements, targets: &[Target]) -> Result<()> {
    let doing = "put the units into an order";
    to.take(crate::sql!("merge/set_chunks.sql"), doing)?;
    for target in targets {
        run(to, crate::sql!("merge/pass_table.sql"), Value::from(Serde(target)), doing)?;
    }
    Ok(())
}

/// Edges as lists: those of node `n` are `to[start[n]..start[n + 1]]`.
struct Graph {
    start: Vec<usize>,
    to: Vec<u32>,
}

fn graph(nodes: usize, edges: impl Iterator<Item = (u32, u32)> + Clone) -> Graph {
    let mut start = vec![0; nodes + 1];
    edges.clone().for_each(|(from, _)| start[from as usize + 1] += 1);
    for n in 0..nodes {
        start[n + 1] += start[n];
    }
    let (mut next, mut to) = (start.clone(), vec![0; start[nodes]]);
    for (from, target) in edges {
        to[next[from as usize]] = target;
        next[from as usize] += 1;
    }
    Graph { start, to }
}

/// The knot of each unit, by Tarjan's algorithm without recursion.
fn knots(units: usize, edges: &[(u32, u32)]) -> Vec<usize> {
    const NONE: usize = usize::MAX;
    let graph = graph(units, edges.iter().copied());
    let (mut index, mut low, mut knot) = (vec![NONE; units], vec![0; units], vec![NONE; units]);
    let (mut open, mut counter, mut found) = (Vec::new(), 0, 0);
    for root in 0..units {
        if index[root] != NONE {
            continue;
        }
        let mut path = vec![(root, graph.start[root])];
        while let Some(&mut (node, ref mut edge)) = path.last_mut() {
            if index[node] == NONE {
                (index[node], low[node]) = (counter, counter);
                counter += 1;
                open.push(node);
            }
            if *edge < graph.start[node + 1] {
                let to = graph.to[*edge] as usize;
                *edge += 1;
                if index[to] == NONE {
                    path.push((to, graph.start[to]));
                } else if knot[to] == NONE {
                    low[node] = low[node].min(index[to]);
                }
                continue;
            }
            path.pop();
            if let Some((parent, _)) = path.last() {
                low[*parent] = low[*parent].min(low[node]);
            }
            if low[node] == index[node] {
                while let Some(member) = open.pop() {
                    knot[member] = found;
                    if member == node {
                        break;
                    }
                }
                found += 1;
            }
        }
    }
    knot
}

/// The members of each knot, knots in an order in which each follows those it depends on.
fn order(knot: &[usize], edges: &[(u32, u32)]) -> Vec<Vec<usize>> {
    let count = knot.iter().max().map_or(0, |k| k + 1);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); count];
    knot.iter().enumerate().for_each(|(unit, k)| members[*k].push(unit));
    let between = |(from, on): &(u32, u32)| {
        let (from, on) = (knot[*from as usize], knot[*on as usize]);
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (from != on).then(|| (small(on), small(from)))
    };
    let followers = graph(count, edges.iter().filter_map(between));
    let mut waits = vec![0usize; count];
    followers.to.iter().for_each(|k| waits[*k as usize] += 1);
    let mut ready: BinaryHeap<Reverse<(usize, usize)>> =
        (0..count).filter(|k| waits[*k] == 0).map(|k| Reverse((members[k][0], k))).collect();
    let mut ordered = Vec::with_capacity(count);
    while let Some(Reverse((_, k))) = ready.pop() {
        for follower in &followers.to[followers.start[k]..followers.start[k + 1]] {
            let follower = *follower as usize;
            waits[follower] -= 1;
            if waits[follower] == 0 {
                ready.push(Reverse((members[follower][0], follower)));
            }
        }
        ordered.push(std::mem::take(&mut members[k]));
    }
    ordered
}

/// The chunk of each unit, from 1: whole knots, `size` units or as many more as the last knot has. Up to twice as many are
/// waited for a place where nothing earlier is left behind: official numbers are given chunk by chunk, and so follow the
/// order of the units wherever no document is open across such a stretch.
fn cut(knots: &[Vec<usize>], size: usize) -> Vec<usize> {
    let mut chunks = vec![0; knots.iter().map(Vec::len).sum()];
    let (mut chunk, mut filled, mut placed, mut end) = (1, 0, 0, 0);
    for knot in knots {
        if filled >= 2 * size || filled >= size && placed == end {
            (chunk, filled) = (chunk + 1, 0);
        }
        for unit in knot {
            chunks[*unit] = chunk;
            end = end.max(unit + 1);
        }
        filled += knot.len();
        placed += knot.len();
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(units: usize, edges: &[(u32, u32)], size: usize) -> Vec<usize> {
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
