//! The operations that kernels need on one register, and the proof that the CPU supports them.

use std::marker::PhantomData;

/// A floating-point number that kernels compute with.
pub(crate) trait Number:
    Copy
    + Default
    + Send
    + Sync
    + std::fmt::Debug
    + PartialEq
    + std::ops::AddAssign
    + std::ops::Mul<Output = Self>
    + std::ops::DivAssign
    + PartialOrd
    + 'static
{
    const ONE: Self;

    fn is_nan(self) -> bool;
}

impl Number for f32 {
    const ONE: Self = 1.0;

    #[inline(always)]
    fn is_nan(self) -> bool {
        self.is_nan()
    }
}

impl Number for f64 {
    const ONE: Self = 1.0;

    #[inline(always)]
    fn is_nan(self) -> bool {
        self.is_nan()
    }
}

/// One register of `LANES` numbers.
///
/// A value exists only on a CPU that has the instructions: both constructors are unsafe, so
/// arithmetic on values can be safe.
pub(crate) trait Vector: Copy {
    type Elem: Number;

    /// Numbers in one register.
    const LANES: usize;

    /// Maximum rows of a register tile 1, 2, 3 or 4 vectors wide: as many as leave registers for one
    /// row of the panel or one column of the left side, whichever is shorter.
    const TILE_ROWS: [usize; 4];

    /// Bytes of a panel to process before the next rows of A: few enough to stay in a cache, enough
    /// that sums are not stored and loaded too often.
    const PANEL_BLOCK_BYTES: usize;

    /// # Safety
    /// The CPU has this vector's instruction set.
    unsafe fn splat(x: Self::Elem) -> Self;

    /// # Safety
    /// The CPU has this vector's instruction set; `from` is readable for `LANES` numbers.
    unsafe fn load(from: *const Self::Elem) -> Self;

    /// # Safety
    /// `to` is writable for `LANES` numbers.
    unsafe fn store(self, to: *mut Self::Elem);

    /// Transposes a square of `LANES × LANES` numbers, given the row strides.
    ///
    /// # Safety
    /// The CPU has this vector's instruction set; `LANES` rows of `LANES` numbers are readable at
    /// `from` and writable at `to`, and the two do not overlap.
    unsafe fn transpose(
        from: *const Self::Elem,
        from_stride: usize,
        to: *mut Self::Elem,
        to_stride: usize,
    );

    /// Hints that a cache line will be needed soon. Any address is allowed.
    fn prefetch(at: *const Self::Elem);

    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// `self * factor + addend`, with a single rounding if the CPU supports it.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// The logistic function, 1 / (1 + e^-x).
    fn sigmoid(self) -> Self;
    fn tanh(self) -> Self;
    /// max(x, 0); NaN stays NaN.
    fn relu(self) -> Self;
    /// `self` where `x` > 0, else 0.
    fn where_positive(self, x: Self) -> Self;

    /// Runs a job in a function that is compiled for this instruction set.
    ///
    /// # Safety
    /// The CPU has this vector's instruction set.
    unsafe fn call<J: Job<Self::Elem>>(job: J) -> J::Output;
}

/// A job that is compiled once per instruction set.
pub(crate) trait Job<E: Number> {
    type Output;

    /// Implementations are `#[inline(always)]`, so that their loops are compiled inside
    /// [`Vector::call`] with the instruction set enabled.
    fn run<V: Vector<Elem = E>>(self, isa: Isa<V>) -> Self::Output;
}

/// Proof that the CPU has the instruction set of `V`; holds no data.
pub(crate) struct Isa<V>(PhantomData<V>);

impl<V> Clone for Isa<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Isa<V> {}

impl<V: Vector> Isa<V> {
    /// # Safety
    /// The CPU has the instruction set of `V`.
    #[inline(always)]
    pub(crate) unsafe fn assume() -> Self {
        Self(PhantomData)
    }

    #[inline(always)]
    pub(crate) fn splat(self, x: V::Elem) -> V {
        // SAFETY: `self` proves the instruction set.
        unsafe { V::splat(x) }
    }

    /// Loads `from[at .. at + LANES]`.
    #[inline(always)]
    pub(crate) fn load(self, from: &[V::Elem], at: usize) -> V {
        let part = &from[at..at + V::LANES];
        // SAFETY: `self` proves the instruction set; `part` has LANES numbers.
        unsafe { V::load(part.as_ptr()) }
    }

    /// Stores `value` to `to[at .. at + LANES]`.
    #[inline(always)]
    pub(crate) fn store(self, value: V, to: &mut [V::Elem], at: usize) {
        let part = &mut to[at..at + V::LANES];
        // SAFETY: `part` has LANES numbers.
        unsafe { value.store(part.as_mut_ptr()) }
    }

    /// Transposes the square at the start of `from` into the start of `to`.
    #[inline(always)]
    pub(crate) fn transpose(
        self,
        from: &[V::Elem],
        from_stride: usize,
        to: &mut [V::Elem],
        to_stride: usize,
    ) {
        let extent = |stride: usize| (V::LANES - 1).checked_mul(stride)?.checked_add(V::LANES);
        assert!(extent(from_stride).is_some_and(|end| end <= from.len()));
        assert!(extent(to_stride).is_some_and(|end| end <= to.len()));
        // SAFETY: `self` proves the instruction set; all rows lie in their slices, and one slice is
        // borrowed mutably, so they are disjoint.
        unsafe { V::transpose(from.as_ptr(), from_stride, to.as_mut_ptr(), to_stride) }
    }

    #[inline(always)]
    pub(crate) fn call<J: Job<V::Elem>>(self, job: J) -> J::Output {
        // SAFETY: `self` proves the instruction set.
        unsafe { V::call(job) }
    }
}

/// The additional operations that the f32 non-linearities below need.
pub(crate) trait F32Vector: Vector<Elem = f32> {
    /// A vector of one constant. Takes `self` as proof of the instruction set.
    fn constant(self, x: f32) -> Self;
    fn div(self, other: Self) -> Self;
    /// Limits to `low ..= high`; NaN stays NaN.
    fn clamp(self, low: f32, high: f32) -> Self;
    /// 2^n, where `self` is n + [`SHIFTER`] and n is a whole number in -126 ..= 127.
    fn exp2_of_shifted(self) -> Self;
}

/// 1.5 * 2^23: adding it rounds an f32 of moderate size to a whole number, held in the lowest bits.
const SHIFTER: f32 = 12_582_912.0;

const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// ln 2 in two parts; the first has few bits, so that its multiples are exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;

/// Polynomial q with e^r - 1 = r + r² q(r) on |r| <= ln 2 / 2, fitted at Chebyshev points.
const EXPM1: [f32; 6] =
    [0.5, 0.166_666_67, 0.041_666_463, 0.008_333_298, 0.001_393_373_4, 0.000_198_993_92];

/// Splits e^x into (2^n, e^r - 1) with x = n ln 2 + r; `x` is already clamped.
#[inline(always)]
fn exp_parts<V: F32Vector>(x: V) -> (V, V) {
    let shifted = x.mul_add(x.constant(LOG2_E), x.constant(SHIFTER));
    let n = shifted.sub(x.constant(SHIFTER));
    let r = n.mul_add(x.constant(-LN2_HIGH), x);
    let r = n.mul_add(x.constant(-LN2_LOW), r);
    let mut q = x.constant(EXPM1[5]);
    for coefficient in EXPM1[..5].iter().rev() {
        q = q.mul_add(r, x.constant(*coefficient));
    }
    let expm1_r = r.mul(r).mul_add(q, r);
    (shifted.exp2_of_shifted(), expm1_r)
}

/// 1 / (1 + e^-x); at most 3 units in the last place from the exact value (see the tests).
#[inline(always)]
pub(crate) fn sigmoid_f32<V: F32Vector>(x: V) -> V {
    let one = x.constant(1.0);
    let negative = x.constant(0.0).sub(x).clamp(-87.0, 87.0);
    let (power, expm1_r) = exp_parts(negative);
    let exp = power.mul_add(expm1_r, power);
    one.div(one.add(exp))
}

/// (e^2x - 1) / (e^2x + 1), from e^2x - 1 without cancellation; at most 4 units in the last place
/// from the exact value (see the tests).
#[inline(always)]
pub(crate) fn tanh_f32<V: F32Vector>(x: V) -> V {
    let (power, expm1_r) = exp_parts(x.add(x).clamp(-20.0, 20.0));
    let expm1 = power.mul_add(expm1_r, power.sub(x.constant(1.0)));
    expm1.div(expm1.add(x.constant(2.0)))
}

/// Applies a function to one number after the other: for functions that no register instruction computes
/// to an f64's accuracy.
#[inline(always)]
pub(crate) fn each_number<V: Vector>(x: V, f: impl Fn(V::Elem) -> V::Elem) -> V {
    let mut numbers = [V::Elem::default(); MAX_LANES];
    assert!(V::LANES <= MAX_LANES);
    // SAFETY: `x` exists, so the CPU has the instructions, and the array is long enough.
    unsafe {
        x.store(numbers.as_mut_ptr());
        for number in &mut numbers[..V::LANES] {
            *number = f(*number);
        }
        V::load(numbers.as_ptr())
    }
}

/// Numbers in the widest register.
const MAX_LANES: usize = 16;

/// Transposes a square of `LANES × LANES` numbers without registers.
///
/// # Safety
/// `LANES` rows of `LANES` numbers are readable at `from` and writable at `to`, at their strides, and the
/// two do not overlap.
#[inline(always)]
pub(crate) unsafe fn transpose_one_by_one<E: Copy, const LANES: usize>(
    from: *const E,
    from_stride: usize,
    to: *mut E,
    to_stride: usize,
) {
    for row in 0..LANES {
        for column in 0..LANES {
            // SAFETY: the caller vouches for the memory.
            unsafe { *to.add(column * to_stride + row) = *from.add(row * from_stride + column) };
        }
    }
}
