//! Runs the parts of a pass on the threads of a crew, layer after layer.

use super::division::Division;
use super::team::Team;
use crate::machine::{Alarm, Barrier, Crew};

/// One thread's part of one layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) layer: usize,
    pub(super) direction: usize,
    /// See [`Division::place`].
    pub(super) place: usize,
}

/// A pass as its threads see it.
#[derive(Clone, Copy)]
pub(super) struct Region {
    pub(super) division: Division,
    pub(super) num_layers: usize,
    pub(super) num_directions: usize,
    /// Whether the last layer comes first.
    pub(super) reverse: bool,
}

impl Region {
    /// Calls `work` for every part, and returns the results `[layer·direction][place]`.
    ///
    /// If directions run at the same time, each thread then calls `join_directions` with the layer, its own number
    /// and the number of threads; all parts of the layer are complete before.
    pub(super) fn run<R: Send>(
        self,
        crew: &Crew<'_>,
        work: impl Fn(Part, Team<'_>) -> R + Sync,
        join_directions: Option<&(dyn Fn(usize, (usize, usize)) + Sync)>,
    ) -> Vec<Vec<R>> {
        let Self { division, num_layers, num_directions, reverse } = self;
        let barriers = division.barriers();
        let alarm = Alarm::default();
        let n_threads = crew.n_members().min(division.n_seats());
        let everyone = Barrier::new(n_threads);
        let results = crew.map(|thread| {
            let _attendance = alarm.attend();
            let mut own = Vec::new();
            if thread >= n_threads {
                return own;
            }
            for index in 0..num_layers {
                let layer = if reverse { num_layers - 1 - index } else { index };
                if index > 0 && division.is_together() {
                    // The layer reads what others have written.
                    everyone.wait(&alarm);
                }
                for seat in division.seats(thread, n_threads) {
                    for direction in seat.directions {
                        let place = division.place(seat.team, seat.member);
                        let barrier = &barriers[division.barrier(seat.team, direction)];
                        let part = Part { layer, direction, place };
                        own.push((part, work(part, Team { barrier, alarm: &alarm })));
                    }
                }
                if let Some(join) = join_directions.filter(|_| division.directions_at_once()) {
                    everyone.wait(&alarm);
                    join(layer, (thread, n_threads));
                }
            }
            own
        });
        let places = || (0..division.n_places()).map(|_| None).collect();
        let mut all: Vec<Vec<Option<R>>> =
            (0..num_layers * num_directions).map(|_| places()).collect();
        for (Part { layer, direction, place }, result) in results.into_iter().flatten() {
            all[layer * num_directions + direction][place] = Some(result);
        }
        all.into_iter().map(|results| results.into_iter().flatten().collect()).collect()
    }
}
