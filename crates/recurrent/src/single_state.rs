//! What [`Rnn`](crate::Rnn) and [`Gru`](crate::Gru) share: their state is one tensor.

/// Gives a layer over a `stack` field its methods; all nonlinearities of one layer have the same
/// parameters, so one cell stands for them.
macro_rules! single_state_layer {
    ($layer:ident, $cell:expr) => {
        impl $layer {
            /// Name and shape of every parameter that a layer of this configuration has.
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

            /// Draws every parameter as `initialization` says, by name.
            ///
            /// # Errors
            /// If the configuration is out of range, `initialization` asks for a forget bias, or
            /// the device fails.
            pub fn initial_weights_with(
                config: &RecurrentConfig,
                initialization: &Initialization,
                rng: &mut SeededRng,
                dtype: DType,
                device: &Device,
            ) -> Result<Vec<(String, Tensor)>> {
                initialization::initial_weights($cell, config, initialization, rng, dtype, device)
            }

            /// The same layer on another implementation.
            pub fn with_backend(mut self, backend: Backend) -> Self {
                self.stack.set_backend(backend);
                self
            }

            /// The layer's configuration.
            pub fn config(&self) -> &RecurrentConfig {
                self.stack.config()
            }

            /// Zeros of the state's shape, `(num_layers * directions, batch, hidden)`, on the
            /// weights' device.
            ///
            /// # Errors
            /// If the device fails.
            pub fn init_state(&self, batch: usize) -> Result<Tensor> {
                Ok(self.stack.zero_states(batch)?.swap_remove(0))
            }

            /// Runs all steps of every row from a zero state: `x (batch, steps, input)` gives
            /// outputs `(batch, steps, directions * hidden)` and the state after the last step.
            ///
            /// # Errors
            /// As `forward_with`.
            pub fn forward(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
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
                options: RunOptions<'_, Tensor>,
            ) -> Result<(Tensor, Tensor)> {
                let RunOptions { state, lengths, dropout } = options;
                let states = state.map(|state| [state]);
                let states = states.as_ref().map(|states| &states[..]);
                let mut output = self.stack.run(x, states, lengths, dropout)?;
                Ok((output.outputs, output.states.swap_remove(0)))
            }

            /// `forward_with` on an input in which vectors repeat.
            ///
            /// # Errors
            /// As `forward_with`; also if an index has no vector.
            pub fn forward_repeated(
                &self,
                input: RepeatedInput<'_>,
                options: RunOptions<'_, Tensor>,
            ) -> Result<(Tensor, Tensor)> {
                let RunOptions { state, lengths, dropout } = options;
                let states = state.map(|state| [state]);
                let states = states.as_ref().map(|states| &states[..]);
                let mut output = self.stack.run_repeated(input, states, lengths, dropout)?;
                Ok((output.outputs, output.states.swap_remove(0)))
            }

            /// Runs one step of a stream: `x (batch, input)` gives the output `(batch, hidden)`
            /// and the new state.
            ///
            /// # Errors
            /// As `forward_with`; also if the layer is bidirectional.
            pub fn step(&self, x: &Tensor, state: &Tensor) -> Result<(Tensor, Tensor)> {
                let mut output = self.stack.step(x, &[state])?;
                Ok((output.outputs, output.states.swap_remove(0)))
            }
        }
    };
}

pub(crate) use single_state_layer;
