// Moves batches between our layout and cuDNN's, and marks and clears what is past a row's end.
//
// Rows have `steps` steps, of which the first `lengths[row]` are real. A step's numbers are one place; a batch has its
// places row by row or, time-major, step by step. A warp moves a place, a block has eight.

typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

__device__ size_t place_of(int row, int step, int rows, int steps, int is_time_major) {
    return is_time_major ? (size_t)step * rows + row : (size_t)row * steps + step;
}

// Copies places of `from_width` numbers to places of `to_width`. Where `clears`, all past the end become 0. If there is
// room, the first number beyond `from_width` becomes `mark` past the end, and all others there 0.
template <typename T>
__device__ void lay(const T *from, T *to, const int *lengths, int rows, int steps, int from_width, int to_width,
                    int from_time_major, int to_time_major, int clears, T mark) {
    const size_t index = (size_t)blockIdx.x * blockDim.y + threadIdx.y;
    if (index >= (size_t)rows * steps) return;
    const int row = to_time_major ? index % rows : index / steps;
    const int step = to_time_major ? index / rows : index % steps;
    const bool is_real = lengths == nullptr || step < lengths[row];
    const T *place = from + place_of(row, step, rows, steps, from_time_major) * from_width;
    T *target = to + index * to_width;
    for (int i = threadIdx.x; i < to_width; i += blockDim.x) {
        T number = 0;
        if (i < from_width) {
            if (is_real || !clears) number = place[i];
        } else if (i == from_width && !is_real) {
            number = mark;
        }
        target[i] = number;
    }
}

// Widens the input weights `[gates * hidden, from_width]`: the first new column is `open` for the gate to be opened,
// `closed` for the one to be closed, and all else is 0.
template <typename T>
__device__ void mark_weights(const T *from, T *to, int gates, int hidden, int from_width, int to_width, int open_gate,
                             int closed_gate, T open, T closed) {
    const size_t index = (size_t)blockIdx.x * blockDim.y + threadIdx.y;
    if (index >= (size_t)gates * hidden) return;
    const int gate = index / hidden;
    for (int i = threadIdx.x; i < to_width; i += blockDim.x) {
        T number = 0;
        if (i < from_width) {
            number = from[index * from_width + i];
        } else if (i == from_width) {
            number = gate == open_gate ? open : gate == closed_gate ? closed : (T)0;
        }
        to[index * to_width + i] = number;
    }
}

// The forward direction's state after each row's last step, `[rows, hidden]`, from outputs
// `[rows, steps, directions * hidden]`; 0 for a row without steps.
template <typename T>
__device__ void take_last(const T *outputs, T *last, const int *lengths, int rows, int steps, int width, int hidden) {
    const size_t row = (size_t)blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;
    const int length = lengths[row];
    for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
        last[row * hidden + i] = length == 0 ? (T)0 : outputs[(row * steps + length - 1) * width + i];
    }
}

__device__ float add(float a, float b) { return a + b; }
__device__ double add(double a, double b) { return a + b; }

struct Half {
    u16 bits;
};
struct BFloat {
    u16 bits;
};

__device__ float to_float(Half x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
}
__device__ Half add(Half a, Half b) {
    Half y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(to_float(a) + to_float(b)));
    return y;
}

__device__ BFloat add(BFloat a, BFloat b) {
    const u32 bits = __float_as_uint(__uint_as_float((u32)a.bits << 16) + __uint_as_float((u32)b.bits << 16));
    BFloat y;
    // Rounds to even; NaN stays NaN.
    y.bits = (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fffu : (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    return y;
}

// Adds the gradient of what `take_last` took to the gradients of cuDNN's outputs.
template <typename T>
__device__ void add_last(const T *last, T *outputs, const int *lengths, int rows, int steps, int width, int hidden,
                         int is_time_major) {
    const size_t row = (size_t)blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows || lengths[row] == 0) return;
    T *place = outputs + place_of(row, lengths[row] - 1, rows, steps, is_time_major) * width;
    for (int i = threadIdx.x; i < hidden; i += blockDim.x) place[i] = add(place[i], last[row * hidden + i]);
}

#define BITS(T)                                                                                                        \
    extern "C" __global__ void lay_##T(const T *from, T *to, const int *lengths, int rows, int steps, int from_width,  \
                                       int to_width, int from_time_major, int to_time_major, int clears, u64 mark) {   \
        lay<T>(from, to, lengths, rows, steps, from_width, to_width, from_time_major, to_time_major, clears, (T)mark); \
    }                                                                                                                  \
    extern "C" __global__ void mark_weights_##T(const T *from, T *to, int gates, int hidden, int from_width,           \
                                                int to_width, int open_gate, int closed_gate, u64 open, u64 closed) {  \
        mark_weights<T>(from, to, gates, hidden, from_width, to_width, open_gate, closed_gate, (T)open, (T)closed);    \
    }                                                                                                                  \
    extern "C" __global__ void take_last_##T(const T *outputs, T *last, const int *lengths, int rows, int steps,       \
                                             int width, int hidden) {                                                  \
        take_last<T>(outputs, last, lengths, rows, steps, width, hidden);                                              \
    }

BITS(u16)
BITS(u32)
BITS(u64)

#define NUMBERS(NAME, T)                                                                                               \
    extern "C" __global__ void add_last_##NAME(const T *last, T *outputs, const int *lengths, int rows, int steps,     \
                                               int width, int hidden, int is_time_major) {                             \
        add_last<T>(last, outputs, lengths, rows, steps, width, hidden, is_time_major);                                \
    }

NUMBERS(f16, Half)
NUMBERS(bf16, BFloat)
NUMBERS(f32, float)
NUMBERS(f64, double)
