//! Methods shared by [`Rnn`](crate::Rnn), [`Lstm`](crate::Lstm) and [`Gru`](crate::Gru).

/// Implements the methods of a layer with a `stack` field.
///
/// `$cell`: one that stands for all, since parameters do not depend on the nonlinearity. `$tensors`: the
/// tensors of a state, in the cell's order; `$state`: the state made of them.
macro_rules! recurrent_layer {
    ($layer:ident, $cell:expr, $state_type:ty, tensors: $tensors:expr, state: $state:expr) => {
        impl $layer {
            /// Name and shape of every parameter of a layer with this configuration.
            pub fn parameter_shapes(config: &RecurrentConfig) -> Vec<(String, Vec<usize>)> {
                stack::parameter_shapes($cell, config)
            }

            /// Draws every parameter from U(±1/√H), by name.
            ///
            /// # Errors
            /// If the configuration is out of range or the device fails.
            pub fn initial_weights(
                config: &RecurrentConfig,
                rng: &mut SeededRng,
                dtype: DType,
                device: &Device,
            ) -> Result<Vec<(String, Tensor)>> {
                Self::initial_weights_with(config, &Initialization::default(), rng, dtype, device)
            }

            /// Draws every parameter according to `initialization`, by name.
            ///
            /// # Errors
            /// If the configuration is out of range, `initialization` sets a forget bias for a layer
            /// that has none, or the device fails.
            pub fn initial_weights_with(
                config: &RecurrentConfig,
                initialization: &Initialization,
                rng: &mut SeededRng,
                dtype: DType,
                device: &Device,
            ) -> Result<Vec<(String, Tensor)>> {
                initialization::initial_weights($cell, config, initialization, rng, dtype, device)
            }

            /// The same layer with another implementation.
            pub fn with_backend(mut self, backend: Backend) -> Self {
                self.stack.set_backend(backend);
                self
            }

            /// The layer's configuration.
            pub fn config(&self) -> &RecurrentConfig {
                self.stack.config()
            }

            /// A state of zeros on the weights' device; each of its tensors is
            /// `(num_layers * directions, batch, hidden)`, with a projection `h` has `proj_size` in
            /// place of `hidden`.
            ///
            /// # Errors
            /// If the device fails.
            pub fn init_state(&self, batch: usize) -> Result<$state_type> {
                let state: fn(Vec<Tensor>) -> $state_type = $state;
                Ok(state(self.stack.zero_states(batch)?))
            }

            /// Runs all steps of every row from a zero state: takes `x (batch, steps, input)`,
            /// returns outputs `(batch, steps, output_size)`, see [`RecurrentConfig::output_size`], and
            /// the state after the last step.
            ///
            /// # Errors
            /// As `forward_with`.
            pub fn forward(&self, x: &Tensor) -> Result<(Tensor, $state_type)> {
                self.forward_with(x, RunOptions::default())
            }

            /// Runs a sequence with an initial state, lengths and dropout.
            ///
            /// # Errors
            /// If the input's or state's shape, dtype or device does not fit, the batch is empty,
            /// or a length is larger than the number of steps.
            pub fn forward_with(
                &self,
                x: &Tensor,
                options: RunOptions<'_, $state_type>,
            ) -> Result<(Tensor, $state_type)> {
                let RunOptions { state, lengths, dropout } = options;
                let states = state.map(Self::tensors);
                Ok(Self::parted(self.stack.run(x, states.as_deref(), lengths, dropout)?))
            }

            /// `forward_with` for an input with repeated vectors.
            ///
            /// # Errors
            /// As `forward_with`; also if an index is out of range.
            pub fn forward_repeated(
                &self,
                input: RepeatedInput<'_>,
                options: RunOptions<'_, $state_type>,
            ) -> Result<(Tensor, $state_type)> {
                let RunOptions { state, lengths, dropout } = options;
                let states = state.map(Self::tensors);
                let output = self.stack.run_repeated(input, states.as_deref(), lengths, dropout)?;
                Ok(Self::parted(output))
            }

            /// Runs one step of a stream: takes `x (batch, input)`, returns the output
            /// `(batch, output_size)` and the new state.
            ///
            /// # Errors
            /// As `forward_with`; also if the layer is bidirectional.
            pub fn step(&self, x: &Tensor, state: &$state_type) -> Result<(Tensor, $state_type)> {
                Ok(Self::parted(self.stack.step(x, &Self::tensors(state))?))
            }

            fn tensors(state: &$state_type) -> Vec<&Tensor> {
                let tensors: fn(&$state_type) -> Vec<&Tensor> = $tensors;
                tensors(state)
            }

            fn parted(output: StackOutput) -> (Tensor, $state_type) {
                let state: fn(Vec<Tensor>) -> $state_type = $state;
                (output.outputs, state(output.states))
            }
        }
    };
}

pub(crate) use recurrent_layer;
