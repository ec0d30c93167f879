//! Which rows a team has, in what order it processes their steps, and where it stores them.
//!
//! A team's rows are sorted by descending length. At step s the first `active[s]` of them still
//! have a real token; their intermediate results are contiguous, step after step, so that a
//! "token" (one row at one step) has the number `offset[s] + rank`.

use std::ops::Range;

use crate::algebra::Geometry;
use crate::machine::Number;

/// Tokens of one chunk of steps: enough rows to feed the matrix product, few enough that their
/// gates stay in the second-level cache.
const CHUNK_TOKENS: usize = 200;

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Batch rows by rank.
    pub(crate) rows: Vec<usize>,
    /// Real steps by rank, descending.
    pub(crate) lengths: Vec<usize>,
    /// Rows that have a real token at a step, by step.
    pub(crate) active: Vec<usize>,
    /// First token of a step, by step; one more at the end.
    pub(crate) offset: Vec<usize>,
    /// Ranges of steps, each of about [`CHUNK_TOKENS`] tokens, in the order of the forward pass.
    pub(crate) chunks: Vec<Chunk>,
    /// Whether the layer runs from each row's last step to its first.
    reverse: bool,
}

impl Plan {
    fn new(rows: Vec<usize>, lengths: Vec<usize>, reverse: bool) -> Self {
        let n_steps = lengths.first().copied().unwrap_or(0);
        let active: Vec<usize> =
            (0..n_steps).map(|step| lengths.partition_point(|&length| length > step)).collect();
        let mut offset = vec![0; n_steps + 1];
        for step in 0..n_steps {
            offset[step + 1] = offset[step] + active[step];
        }
        let chunks = chunks(&offset);
        Self { rows, lengths, active, offset, chunks, reverse }
    }

    /// Deals the batch's rows to at most `n_teams` plans of nearly equal work.
    pub(crate) fn deal(lengths: &[usize], reverse: bool, n_teams: usize) -> Vec<Self> {
        let n_plans = n_teams.clamp(1, lengths.len().max(1));
        let mut by_length: Vec<usize> = (0..lengths.len()).collect();
        // A stable sort: rows of equal length stay in batch order, whatever the thread count.
        by_length.sort_by_key(|&row| std::cmp::Reverse(lengths[row]));
        let mut hands = vec![Vec::new(); n_plans];
        for (rank, row) in by_length.into_iter().enumerate() {
            // Deal forwards, then backwards, so that the first plan does not get all the longer rows.
            let (round, seat) = (rank / n_plans, rank % n_plans);
            hands[if round % 2 == 0 { seat } else { n_plans - 1 - seat }].push(row);
        }
        hands
            .into_iter()
            .map(|rows| {
                let lengths = rows.iter().map(|&row| lengths[row]).collect();
                Self::new(rows, lengths, reverse)
            })
            .collect()
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn n_steps(&self) -> usize {
        self.active.len()
    }

    pub(crate) fn n_tokens(&self) -> usize {
        self.offset[self.n_steps()]
    }

    /// The sequence position of the row with this rank at this step.
    pub(crate) fn time(&self, rank: usize, step: usize) -> usize {
        if self.reverse { self.lengths[rank] - 1 - step } else { step }
    }

    /// The index of that position among all `B·T` of the batch.
    pub(crate) fn place(&self, geometry: &Geometry, rank: usize, step: usize) -> usize {
        self.rows[rank] * geometry.steps + self.time(rank, step)
    }

    /// Rank, step and number within the chunk for each token, row after row: in this order a row's
    /// places in `[B, T, ..]` are consecutive, which is fastest to read.
    pub(crate) fn tokens_by_row(
        &self,
        chunk: Chunk,
    ) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        (0..self.active[chunk.start]).flat_map(move |rank| {
            let end = chunk.end.min(self.lengths[rank]);
            (chunk.start..end)
                .map(move |step| (rank, step, self.offset[step] - chunk.first_token + rank))
        })
    }

    /// Copies some units of a state `[B, width]` to `[ranks, stride]`, by rank.
    pub(crate) fn gather_state<E: Number>(
        &self,
        (state, width): (&[E], usize),
        units: &Range<usize>,
        (to, stride): (&mut [E], usize),
    ) {
        for (rank, row) in self.rows.iter().enumerate() {
            to[rank * stride..][..units.len()]
                .copy_from_slice(&state[row * width..][units.clone()]);
        }
    }

    /// The reverse of [`Plan::gather_state`].
    pub(crate) fn scatter_state<E: Number>(
        &self,
        (from, stride): (&[E], usize),
        units: &Range<usize>,
        (state, width): (&mut [E], usize),
    ) {
        for (rank, row) in self.rows.iter().enumerate() {
            state[row * width..][units.clone()]
                .copy_from_slice(&from[rank * stride..][..units.len()]);
        }
    }

    /// Tokens of the longest chunk.
    pub(crate) fn chunk_tokens(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.n_tokens).max().unwrap_or(0)
    }
}

/// See [`Plan::chunks`]; `offset`: as there.
fn chunks(offset: &[usize]) -> Vec<Chunk> {
    let n_steps = offset.len() - 1;
    let mut chunks = Vec::new();
    let mut start = 0;
    for end in 1..=n_steps {
        let n_tokens = offset[end] - offset[start];
        if n_tokens >= CHUNK_TOKENS || end == n_steps {
            chunks.push(Chunk { start, end, first_token: offset[start], n_tokens });
            start = end;
        }
    }
    chunks
}

/// A range of steps that is processed as one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) first_token: usize,
    pub(crate) n_tokens: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_one_owner_and_every_token_one_place() {
        let lengths = [3, 0, 7, 7, 1, 4];
        let plans = Plan::deal(&lengths, false, 2);
        let mut rows: Vec<usize> = plans.iter().flat_map(|plan| plan.rows.clone()).collect();
        rows.sort_unstable();
        assert_eq!(rows, [0, 1, 2, 3, 4, 5]);
        assert_eq!(plans.iter().map(Plan::n_tokens).sum::<usize>(), 22);
        for plan in &plans {
            assert!(plan.lengths.is_sorted_by(|a, b| a >= b));
            let covered: usize = plan.chunks.iter().map(|chunk| chunk.n_tokens).sum();
            assert_eq!(covered, plan.n_tokens());
            for &chunk in &plan.chunks {
                let mut tokens: Vec<usize> = plan
                    .tokens_by_row(chunk)
                    .map(|(rank, step, token)| {
                        assert_eq!(token, plan.offset[step] - chunk.first_token + rank);
                        token
                    })
                    .collect();
                tokens.sort_unstable();
                assert_eq!(tokens, (0..chunk.n_tokens).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn the_reverse_direction_starts_at_each_rows_last_token() {
        let plan = &Plan::deal(&[2, 5], true, 1)[0];
        assert_eq!(plan.rows, [1, 0]);
        assert_eq!((plan.time(0, 0), plan.time(1, 0)), (4, 1));
        assert_eq!(plan.active, [2, 2, 1, 1, 1]);
    }
}
