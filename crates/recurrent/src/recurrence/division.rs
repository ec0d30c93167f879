//! How a pass is divided among threads: by rows of the batch, by directions, and by hidden units.
//!
//! A team has some rows of the batch. Without further division one thread runs all steps, layers and
//! directions of its team alone, and waits for nobody. If there are more threads than teams can keep busy,
//! the directions of a layer run at the same time, and the members of a team divide the hidden units: each
//! reads only its part of the weights, which then stays in its second-level cache, and all meet after each
//! step.
//!
//! The number of teams decides the order in which gradients are added. It depends on the batch and on the
//! threads that are allowed, never on the threads that are free at the moment, so a result does not either.

use std::ops::Range;

use crate::algebra::Geometry;
use crate::machine::{Barrier, share};

/// Multiply-adds of a pass below which a further thread costs more than it gains.
const WORK_PER_THREAD: usize = 200_000;

/// Rows of a team below which fewer teams are better: fewer rows do not fill a register tile, and every
/// team reads all weights for them.
const MIN_ROWS_PER_TEAM: usize = 12;

/// What meetings after each step, or each layer, add to the work, in percent.
const MEETINGS_PERCENT: usize = 5;

/// The sizes on which the division depends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) n_rows: usize,
    pub(crate) n_directions: usize,
    /// Panels of hidden units that members can divide; 1 if they cannot.
    pub(crate) n_panels: usize,
    /// Multiply-adds of the forward pass.
    pub(crate) work: usize,
}

/// The parts of a pass and which of them run at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Division {
    pub(crate) n_teams: usize,
    /// Members of a team that divide the hidden units of one direction.
    pub(crate) n_members: usize,
    n_directions: usize,
    /// Whether each direction has members of its own.
    directions_at_once: bool,
}

/// One thread's place in a layer.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) team: usize,
    pub(crate) member: usize,
    pub(crate) directions: Range<usize>,
}

impl Load {
    /// Threads that the pass can keep busy, of those allowed.
    pub(crate) fn n_threads(&self, n_allowed: usize) -> usize {
        (self.work / WORK_PER_THREAD).clamp(1, n_allowed)
    }

    /// The number of teams with which `n_threads` threads finish first, by counting the rows and panels of
    /// the busiest one.
    pub(crate) fn n_teams(&self, n_threads: usize) -> usize {
        // Where members have nothing to divide, small teams are better than idle threads.
        let min_rows = if self.n_panels > 1 { MIN_ROWS_PER_TEAM } else { 1 };
        let most = (self.n_rows / min_rows).clamp(1, n_threads);
        let busiest = |n_teams: usize| {
            let division = self.divide(n_teams, n_threads);
            let rows = self.n_rows.div_ceil(n_teams);
            let panels = self.n_panels.div_ceil(division.n_members);
            let directions = if division.directions_at_once { 1 } else { self.n_directions };
            let percent = 100 + if division.is_together() { MEETINGS_PERCENT } else { 0 };
            rows * panels * directions * percent
        };
        // The first of equal ones: more teams meet less often.
        (1..=most).rev().min_by_key(|&n_teams| busiest(n_teams)).unwrap_or(1)
    }

    /// The division of `n_teams` teams on `n_threads` threads.
    pub(crate) fn divide(&self, n_teams: usize, n_threads: usize) -> Division {
        let per_team = n_threads / n_teams;
        let directions_at_once = self.n_directions > 1 && per_team >= self.n_directions;
        let n_members = match (self.n_directions, directions_at_once) {
            (1, _) | (_, true) => per_team / self.n_directions,
            _ => 1,
        };
        Division {
            n_teams,
            n_members: n_members.clamp(1, self.n_panels),
            n_directions: self.n_directions,
            directions_at_once,
        }
    }
}

impl Division {
    /// Whether threads read what others have written, so that all of them must run at the same time.
    pub(crate) fn is_together(&self) -> bool {
        self.directions_at_once || self.n_members > 1
    }

    /// Whether the directions of a layer run at the same time.
    pub(crate) fn directions_at_once(&self) -> bool {
        self.directions_at_once
    }

    /// Places of one layer.
    pub(crate) fn n_seats(&self) -> usize {
        let directions = if self.directions_at_once { self.n_directions } else { 1 };
        self.n_teams * directions * self.n_members
    }

    /// The number under which a team's member of one direction keeps its data.
    pub(crate) fn place(&self, team: usize, member: usize) -> usize {
        team * self.n_members + member
    }

    /// How many of those numbers there are.
    pub(crate) fn n_places(&self) -> usize {
        self.n_teams * self.n_members
    }

    /// The team and the member with such a number.
    pub(crate) fn team_and_member(&self, place: usize) -> (usize, usize) {
        (place / self.n_members, place % self.n_members)
    }

    /// The panels of a member's hidden units.
    pub(crate) fn panels(&self, geometry: &Geometry, member: usize) -> Range<usize> {
        share(geometry.n_panels, member, self.n_members)
    }

    /// A barrier for each team and direction.
    pub(crate) fn barriers(&self) -> Vec<Barrier> {
        (0..self.n_teams * self.n_directions).map(|_| Barrier::new(self.n_members)).collect()
    }

    /// The number of the barrier of a team and direction.
    pub(crate) fn barrier(&self, team: usize, direction: usize) -> usize {
        team * self.n_directions + direction
    }

    /// The seats of one of `n_threads` threads.
    pub(crate) fn seats(&self, thread: usize, n_threads: usize) -> impl Iterator<Item = Seat> {
        let division = *self;
        share(self.n_seats(), thread, n_threads).map(move |seat| {
            let (seat, member) = (seat / division.n_members, seat % division.n_members);
            if division.directions_at_once {
                let (team, direction) =
                    (seat / division.n_directions, seat % division.n_directions);
                Seat { team, member, directions: direction..direction + 1 }
            } else {
                Seat { team: seat, member, directions: 0..division.n_directions }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(n_rows: usize, n_directions: usize) -> Load {
        Load { n_rows, n_directions, n_panels: 16, work: 1 << 30 }
    }

    /// Teams, members, and whether the directions run at once, if all threads are free.
    fn divided(load: Load, n_threads: usize) -> (usize, usize, bool) {
        let division = load.divide(load.n_teams(n_threads), n_threads);
        (division.n_teams, division.n_members, division.directions_at_once)
    }

    #[test]
    fn threads_divide_rows_first_then_directions_then_units() {
        assert_eq!(divided(load(50, 1), 2), (2, 1, false));
        assert_eq!(divided(load(50, 2), 2), (2, 1, false));
        assert_eq!(divided(load(50, 1), 8), (2, 4, false));
        assert_eq!(divided(load(50, 2), 8), (2, 2, true));
        assert_eq!(divided(load(50, 2), 16), (2, 4, true));
        assert_eq!(divided(load(1, 1), 2), (1, 2, false));
        assert_eq!(divided(load(1, 2), 2), (1, 1, true));
        assert_eq!(divided(load(1, 2), 4), (1, 2, true));
        // With seven threads, 3 teams of 17 rows and 2 members beat 7 members for all rows.
        assert_eq!(divided(load(50, 1), 7), (3, 2, false));
    }

    #[test]
    fn every_team_member_and_direction_has_one_seat() {
        for (n_rows, n_directions) in [(50, 1), (50, 2), (1, 1), (1, 2), (20, 2)] {
            let load = load(n_rows, n_directions);
            for (n_allowed, n_free) in [(1, 1), (2, 1), (2, 2), (8, 3), (8, 8), (16, 5)] {
                let division = load.divide(load.n_teams(n_allowed), n_free);
                let n_threads = if division.is_together() { division.n_seats() } else { n_free };
                assert!(division.n_seats() <= n_free || !division.is_together());
                let mut seen = Vec::new();
                for thread in 0..n_threads {
                    for Seat { team, member, directions } in division.seats(thread, n_threads) {
                        seen.extend(directions.map(|d| (d, division.place(team, member))));
                    }
                }
                seen.sort_unstable();
                let all =
                    (0..n_directions).flat_map(|d| (0..division.n_places()).map(move |p| (d, p)));
                assert_eq!(seen, all.collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn little_work_stays_on_one_thread() {
        let load = Load { work: WORK_PER_THREAD + 1, ..load(50, 2) };
        assert_eq!(load.n_threads(8), 1);
    }
}
