//! Packs the weights of all layers and directions in one round, for the forward pass and, if one may follow,
//! for the backward pass: what it reads is a copy from the forward pass's time.

use std::ops::Range;

use super::division::Division;
use super::layer_backward::BackwardWeights;
use super::problem::Problem;
use crate::algebra::{ColumnBlocks, ColumnLayout, ForwardWeights, Geometry, Weights, gate_row};
use crate::machine::{Crew, Element, share};

/// Packed weights of the forward passes, `[layer·direction]`.
pub(crate) struct PackedWeights<E>(pub(crate) Vec<ForwardWeights<E>>);

/// Packed weights of the backward passes.
pub(crate) struct PackedColumns<E>(
    /// `[layer·direction][member]`
    pub(crate) Vec<Vec<BackwardWeights<E>>>,
);

impl<E: Element> PackedWeights<E> {
    pub(crate) fn pack(
        crew: &Crew<'_>,
        geometries: &[Geometry],
        weights: &[Weights<'_, E>],
    ) -> Self {
        let n_directions = weights.len() / geometries.len();
        let geometry = |index: usize| &geometries[index / n_directions];
        let mut packed: Vec<ForwardWeights<E>> = weights
            .iter()
            .enumerate()
            .map(|(index, weights)| ForwardWeights::new(geometry(index), weights))
            .collect();
        let parts: Vec<_> = packed.iter_mut().map(ForwardWeights::unpacked).collect();
        let tasks: Vec<(usize, usize)> = (0..weights.len())
            .flat_map(|index| (0..geometry(index).n_panels).map(move |panel| (index, panel)))
            .collect();
        crew.run(|member| {
            for &(index, panel) in tasks.iter().skip(member).step_by(crew.n_members()) {
                let (layout, to) = parts[index];
                // SAFETY: each panel is packed once.
                unsafe { layout.pack(panel, &weights[index], geometry(index), to) };
            }
        });
        Self(packed)
    }
}

/// The rows of a weight that are the inner dimension of a product.
enum Rows {
    /// Some vectors of all gate panels.
    Gates(Range<usize>),
    /// The matrix's own.
    Plain,
}

impl<E: Element> PackedColumns<E> {
    pub(crate) fn pack(
        crew: &Crew<'_>,
        problem: &Problem,
        geometries: &[Geometry],
        weights: &[Weights<'_, E>],
        division: Division,
        wants_dx: bool,
    ) -> Self {
        let n_members = division.n_members;
        let mut members: Vec<Vec<BackwardWeights<E>>> = (0..weights.len())
            .map(|index| {
                let layer = index / problem.num_directions;
                let wants_dx = layer > 0 || wants_dx;
                let geometry = &geometries[layer];
                let room = |member| BackwardWeights::new(geometry, member, n_members, wants_dx);
                (0..n_members).map(room).collect()
            })
            .collect();
        let mut parts = Vec::new();
        for (index, (members, weights)) in members.iter_mut().zip(weights).enumerate() {
            let geometry = &geometries[index / problem.num_directions];
            let all = 0..geometry.panel_vectors();
            for BackwardWeights { input, recurrent, projection } in members {
                let matrix = (weights.input, geometry.input);
                parts.extend(
                    input.iter_mut().map(|to| (to, geometry, matrix, Rows::Gates(all.clone()))),
                );
                let matrix = (weights.recurrent, geometry.h_size);
                for (to, vectors) in recurrent.iter_mut().zip(geometry.recurrent_parts()) {
                    parts.push((to, geometry, matrix, Rows::Gates(vectors)));
                }
                if let (Some(to), Some(matrix)) = (projection, weights.projection) {
                    parts.push((to, geometry, (matrix, geometry.hidden), Rows::Plain));
                }
            }
        }
        let parts: Vec<_> = parts
            .into_iter()
            .map(|(to, geometry, matrix, rows)| (to.unpacked(), geometry, matrix, rows))
            .collect();
        let tasks: Vec<(usize, usize)> = parts
            .iter()
            .enumerate()
            .flat_map(|(part, ((layout, _), ..))| {
                (0..layout.n_blocks()).map(move |block| (part, block))
            })
            .collect();
        crew.run(|member| {
            for &(part, block) in tasks.iter().skip(member).step_by(crew.n_members()) {
                let ((layout, to), geometry, matrix, rows) = &parts[part];
                // SAFETY: each block is packed once.
                unsafe {
                    match rows {
                        Rows::Gates(vectors) => {
                            let row = |k| gate_row(geometry, vectors, k);
                            layout.pack(block, *matrix, row, *to);
                        }
                        Rows::Plain => layout.pack(block, *matrix, Some, *to),
                    }
                }
            }
        });
        Self(members)
    }
}

impl<E: Element> BackwardWeights<E> {
    /// Room for a member's columns.
    fn new(geometry: &Geometry, member: usize, n_members: usize, wants_dx: bool) -> Self {
        let all_vectors = 0..geometry.panel_vectors();
        let input_vectors = share(geometry.input.div_ceil(geometry.lanes), member, n_members);
        let input_columns = geometry.input.min(input_vectors.start * geometry.lanes)
            ..geometry.input.min(input_vectors.end * geometry.lanes);
        let own_h = if geometry.is_projected() {
            0..geometry.h_size
        } else {
            geometry.units(&share(geometry.n_panels, member, n_members))
        };
        let room = |columns, vectors: &Range<usize>| {
            ColumnBlocks::new(geometry.gate_columns(columns, vectors))
        };
        let projection = ColumnLayout {
            depth: geometry.h_size,
            columns: 0..geometry.hidden,
            lanes: geometry.lanes,
        };
        Self {
            input: wants_dx.then(|| room(input_columns, &all_vectors)),
            recurrent: geometry
                .recurrent_parts()
                .map(|vectors| room(own_h.clone(), &vectors))
                .collect(),
            projection: geometry.is_projected().then(|| ColumnBlocks::new(projection)),
        }
    }
}
