/* Records when a process's GPU was busy, with what, and which CUDA calls the process made; reports at its end.
 *
 * CUDA loads this library into a process, and calls `InitializeInjection`, if the environment has
 *
 *   CUDA_INJECTION64_PATH=/path/to/libtrace.so    this library
 *   LD_LIBRARY_PATH=/folder/of/libcupti.so.13     CUPTI, unless the process has loaded it already
 *   TRACE_OUT=/path/to/trace-%p.json              where the report goes; %p becomes the process id
 *   TRACE_SKIP_S=20                               what starts in the first 20 s after injection is left out (default 0)
 *   TRACE_FOR_S=5                                 and so is what starts more than 5 s after that (default: no end)
 *   TRACE_LAST_S=2                                or what starts earlier than 2 s before the last device activity
 *   TRACE_HOST=0                                  leaves out CUDA calls and waits; recording them slows each call down
 *
 * CUPTI hands over buffers of records: kernels, copies, memsets, calls, waits. Each record becomes an event, which is
 * two times and the group in which it is counted. At the end of the process the events are sorted, the window is found
 * (from the first to the last device activity that was kept), and the events that start in it are added up by group,
 * with their full length. Times are in nanoseconds on CUPTI's clock.
 *
 * Memory is bounded: if there is no room for an event, the window ends before it, and the report says so.
 * Nothing here stops the process: what goes wrong is one line on stderr, and the process runs on.
 * A process that is killed, or ends by _exit, leaves no report. README.md has the commands for building and use. */
#define _POSIX_C_SOURCE 200809L
#include <cupti.h>
#include <dlfcn.h>
#include <locale.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if CUPTI_API_VERSION < 130000 || CUPTI_API_VERSION >= 140000
#error "records are read as CUPTI 13 lays them out; build with the headers of nvidia-cuda-cupti 13"
#endif

enum { TOP_KERNELS = 60, TOP_CALLS = 40, TOP_GAPS = 10, NAME_CHARS = 120 };
enum { MAX_GROUPS = 1 << 14, BUFFER_BYTES = 8 << 20 };
#ifdef TRACE_SELF_TEST
enum { MAX_EVENTS = 8 };
#else
enum { MAX_EVENTS = 20 * 1000 * 1000 }; /* of the device, and as many of the host; 32 bytes each */
#endif

/* What happens on the device comes before `DRIVER`, what happens on the host from there on. */
enum kind { KERNEL, MEMCPY, MEMSET, DRIVER, RUNTIME, WAIT, KINDS };
static const CUpti_ActivityKind ACTIVITIES[KINDS] = {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_MEMCPY,
    CUPTI_ACTIVITY_KIND_MEMSET, CUPTI_ACTIVITY_KIND_DRIVER, CUPTI_ACTIVITY_KIND_RUNTIME,
    CUPTI_ACTIVITY_KIND_SYNCHRONIZATION};
static const char *const KIND_NAMES[KINDS] = {"kernel", "memcpy", "memset", "driver", "runtime", "synchronization"};

/* Events that share a line of the report: kernels of one name; copies, memsets, calls and waits of one id. */
struct group { enum kind kind; uint32_t id, hash, next; char *name; uint64_t count, bytes, total, max; };
struct event { uint64_t start, end, bytes; uint32_t group; };
struct events { struct event *at; size_t len, capacity; };
struct gap { uint64_t start, length; uint32_t before, after; };

/* Everything recorded. `lock` guards what comes after it. Group 0 is no group. */
static struct {
    pid_t pid;
    char *out;
    uint64_t injected, open, last;
    bool recorded[KINDS];
    const char *refusals[KINDS];
    pthread_mutex_t lock;
    bool over, cut_short;
    uint64_t close, lost, untimed, devices;
    struct events device, host;
    struct group groups[MAX_GROUPS];
    uint32_t n_groups, chains[1024];
} trace = {.lock = PTHREAD_MUTEX_INITIALIZER, .close = UINT64_MAX, .last = UINT64_MAX, .n_groups = 1};

/* CUPTI's functions, looked up at run time: a process that cannot have them still starts. */
#define FUNCTIONS(f) f(GetVersion) f(GetTimestamp) f(GetResultString) f(GetCallbackName) f(ActivityRegisterCallbacks) \
    f(ActivityEnable) f(ActivityFlushAll) f(ActivityGetNextRecord) f(ActivityGetNumDroppedRecords)
#define FIELD(name) __typeof__(cupti##name) *name;
static struct { FUNCTIONS(FIELD) } cupti;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fprintf(stderr, "trace: %s\n", line);
}

static const char *error_name(CUptiResult result) {
    const char *name = NULL;
    return cupti.GetResultString(result, &name) == CUPTI_SUCCESS && name ? name : "unknown CUPTI error";
}

/* The group of events with this kind, id and name, which is new if there is none; 0 without room for it. */
static uint32_t group_of(enum kind kind, uint32_t id, const char *name) {
    uint32_t hash = 2166136261u ^ (uint32_t)kind ^ id << 3;
    for (const char *c = name; *c; c++) hash = (hash ^ (unsigned char)*c) * 16777619u;
    uint32_t *chain = &trace.chains[(hash ^ hash >> 15) % 1024];
    for (uint32_t g = *chain; g; g = trace.groups[g].next) {
        const struct group *at = &trace.groups[g];
        if (at->hash == hash && at->kind == kind && at->id == id && strcmp(at->name, name) == 0) return g;
    }
    char *copy = trace.n_groups < MAX_GROUPS ? strdup(name) : NULL; /* CUPTI's may go when a module is unloaded */
    if (!copy) return 0;
    trace.groups[trace.n_groups] = (struct group){.kind = kind, .id = id, .hash = hash, .next = *chain, .name = copy};
    return *chain = trace.n_groups++;
}

/* Keeps an event if it starts while the window is open. */
static void add(enum kind kind, uint64_t start, uint64_t end, uint64_t bytes, uint32_t id, const char *name) {
    struct events *events = kind < DRIVER ? &trace.device : &trace.host;
    if (start == 0 || end < start) trace.untimed++; /* CUPTI could not take its times, or it has not ended */
    if (start == 0 || end < start || start < trace.open || start >= trace.close) return;
    if (events->len == events->capacity) {
        size_t capacity = events->capacity ? 2 * events->capacity : 1 << 16;
        if (capacity > MAX_EVENTS) capacity = MAX_EVENTS;
        struct event *at = capacity > events->len ? realloc(events->at, capacity * sizeof *at) : NULL;
        if (!at) {
            trace.close = start;
            trace.cut_short = true;
            return;
        }
        *events = (struct events){at, events->len, capacity};
    }
    uint32_t group = group_of(kind, id, name ? name : "");
    if (group) events->at[events->len++] = (struct event){start, end, bytes, group};
    else trace.lost++;
}

/* An id of a copy holds all by which it is told apart, a byte each: kind, memory from, memory to, asynchronous or not.
 * An id of a wait has two: type, and whether the call failed. A query that is answered "not yet" counts as failed. */
#define BYTE(id, i) ((id) >> 8 * (i) & 0xff)

static void handle(const CUpti_Activity *record) {
    const CUpti_ActivityKernel10 *kernel = (const void *)record;
    const CUpti_ActivityMemcpy6 *copy = (const void *)record;
    const CUpti_ActivityMemset4 *set = (const void *)record;
    const CUpti_ActivityAPI *call = (const void *)record;
    const CUpti_ActivitySynchronization2 *wait = (const void *)record;
    uint32_t is_async;
    switch (record->kind) {
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
        trace.devices |= 1ull << (kernel->deviceId & 63);
        add(KERNEL, kernel->start, kernel->end, 0, 0, kernel->name);
        break;
    case CUPTI_ACTIVITY_KIND_MEMCPY:
        trace.devices |= 1ull << (copy->deviceId & 63);
        is_async = (copy->flags & CUPTI_ACTIVITY_FLAG_MEMCPY_ASYNC) != 0;
        add(MEMCPY, copy->start, copy->end, copy->bytes,
            copy->copyKind | copy->srcKind << 8 | copy->dstKind << 16 | is_async << 24, NULL);
        break;
    case CUPTI_ACTIVITY_KIND_MEMSET:
        trace.devices |= 1ull << (set->deviceId & 63);
        add(MEMSET, set->start, set->end, set->bytes, set->memoryKind, NULL);
        break;
    case CUPTI_ACTIVITY_KIND_DRIVER:
    case CUPTI_ACTIVITY_KIND_RUNTIME:
        add(record->kind == CUPTI_ACTIVITY_KIND_DRIVER ? DRIVER : RUNTIME, call->start, call->end, 0, call->cbid, NULL);
        break;
    case CUPTI_ACTIVITY_KIND_SYNCHRONIZATION:
        add(WAIT, wait->start, wait->end, 0, (wait->type & 0xff) | (wait->returnValue != 0) << 8, NULL);
        break;
    default:
        break;
    }
}

static void CUPTIAPI buffer_requested(uint8_t **buffer, size_t *size, size_t *max_records) {
    *buffer = malloc(BUFFER_BYTES); /* without one, CUPTI drops records and counts them */
    *size = *buffer ? BUFFER_BYTES : 0;
    *max_records = 0;
}

/* Runs on a thread of CUPTI's, or on the one that flushes. The lock is not held during calls to CUPTI. */
static void CUPTIAPI buffer_completed(CUcontext context, uint32_t stream, uint8_t *buffer, size_t size, size_t valid) {
    CUpti_Activity *record = NULL;
    size_t dropped = 0;
    (void)size;
    while (buffer && valid && cupti.ActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS) {
        pthread_mutex_lock(&trace.lock);
        if (!trace.over) handle(record);
        pthread_mutex_unlock(&trace.lock);
    }
    bool known = cupti.ActivityGetNumDroppedRecords(context, stream, &dropped) == CUPTI_SUCCESS;
    pthread_mutex_lock(&trace.lock);
    if (known) trace.lost += dropped;
    pthread_mutex_unlock(&trace.lock);
    free(buffer);
}

/* What CUPTI's numbers stand for, in their order. */
static const char *const COPIES[] = {
    "unknown", "HtoD", "DtoH", "HtoA", "AtoH", "AtoA", "AtoD", "DtoA", "DtoD", "HtoH", "PtoP"};
static const char *const MEMORIES[] = {
    "unknown", "pageable", "pinned", "device", "array", "managed", "device static", "managed static"};
static const char *const WAITS[] = {
    "unknown", "event synchronize", "stream wait event", "stream synchronize", "context synchronize"};
#define NAME_IN(table, i) ((i) < sizeof table / sizeof *table ? table[i] : "unknown")

static const char *name_of(const struct group *group) {
    const char *name = NULL;
    if (group->kind == KERNEL) name = group->name;
    if (group->kind == MEMCPY) name = NAME_IN(COPIES, BYTE(group->id, 0));
    if (group->kind == MEMSET) name = NAME_IN(MEMORIES, group->id);
    if (group->kind == WAIT) name = NAME_IN(WAITS, BYTE(group->id, 0));
    if (group->kind == DRIVER) cupti.GetCallbackName(CUPTI_CB_DOMAIN_DRIVER_API, group->id, &name);
    if (group->kind == RUNTIME) cupti.GetCallbackName(CUPTI_CB_DOMAIN_RUNTIME_API, group->id, &name);
    return name ? name : "unknown";
}

/* Whether the host waits for the device in events of a group: in calls that synchronise (a stream that waits for an
 * event does not), and in copies to the host that are synchronous or go to pageable memory. */
static bool waits(const struct group *group) {
    uint32_t id = group->id, what = BYTE(id, 0);
    if (group->kind == WAIT) return what != CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_STREAM_WAIT_EVENT && !BYTE(id, 1);
    bool to_host = what == CUPTI_ACTIVITY_MEMCPY_KIND_DTOH || what == CUPTI_ACTIVITY_MEMCPY_KIND_ATOH;
    return group->kind == MEMCPY && to_host && (BYTE(id, 2) == CUPTI_ACTIVITY_MEMORY_KIND_PAGEABLE || !BYTE(id, 3));
}

/* A name as a JSON string; a long one is cut, and a hash tells it from others that begin alike. */
static void write_name(FILE *file, const struct group *group) {
    const char *name = name_of(group);
    bool cut = strlen(name) > NAME_CHARS;
    fputc('"', file);
    for (int i = 0; name[i] && !(cut && i == NAME_CHARS - 9); i++) {
        fputc(name[i] >= ' ' && name[i] <= '~' && name[i] != '"' && name[i] != '\\' ? name[i] : '?', file);
    }
    if (cut) fprintf(file, "#%08x", group->hash);
    fputc('"', file);
}

static const char *truth(bool value) { return value ? "true" : "false"; }
static double us(uint64_t ns) { return (double)ns / 1e3; }
static double s(uint64_t ns) { return (double)ns / 1e9; }

static void write_row(FILE *file, const struct group *group) {
    uint32_t id = group->id;
    enum kind kind = group->kind;
    fputs("{\"name\": ", file);
    write_name(file, group);
    if (kind == DRIVER || kind == RUNTIME) fprintf(file, ", \"api\": \"%s\"", KIND_NAMES[kind]);
    if (kind == MEMCPY) fprintf(file, ", \"from\": \"%s\"", NAME_IN(MEMORIES, BYTE(id, 1)));
    if (kind == MEMCPY) fprintf(file, ", \"to\": \"%s\"", NAME_IN(MEMORIES, BYTE(id, 2)));
    if (kind == MEMCPY) fprintf(file, ", \"async\": %s", truth(BYTE(id, 3)));
    if (kind == WAIT) fprintf(file, ", \"failed\": %s", truth(BYTE(id, 1)));
    if (kind == MEMCPY || kind == WAIT) fprintf(file, ", \"waits\": %s", truth(waits(group)));
    if (kind == MEMCPY || kind == MEMSET) fprintf(file, ", \"bytes\": %lu", group->bytes);
    fprintf(file, ", \"count\": %lu, \"total_us\": %.3f, \"mean_us\": %.3f, \"max_us\": %.3f}", group->count,
        us(group->total), us(group->total) / (double)group->count, us(group->max));
}

/* Groups of the kinds `from` to `to`, most time first; after `top` of them only sums, but all calls that wait. */
static void write_rows(FILE *file, const char *key, const struct group **sorted, enum kind from, enum kind to,
                       size_t top) {
    struct group rest = {0};
    size_t listed = 0, unlisted = 0;
    fprintf(file, "\"%s\": [", key);
    for (; *sorted; sorted++) {
        if ((*sorted)->kind < from || (*sorted)->kind > to) continue;
        if (listed < top || strstr(name_of(*sorted), "Synchronize")) {
            fputs(listed++ ? ",\n  " : "\n  ", file);
            write_row(file, *sorted);
        } else {
            unlisted++;
            rest.count += (*sorted)->count;
            rest.total += (*sorted)->total;
        }
    }
    fprintf(file, "],\n\"%s_rest\": {\"names\": %zu, \"count\": %lu, \"total_us\": %.3f},\n", key, unlisted, rest.count,
        us(rest.total));
}

static int by_start(const void *a, const void *b) {
    const struct event *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

static int by_total(const void *a, const void *b) {
    const struct group *x = *(const struct group *const *)a, *y = *(const struct group *const *)b;
    return x->total != y->total ? (x->total < y->total) - (x->total > y->total) : (x > y) - (x < y);
}

static void count(const struct event *event) {
    struct group *group = &trace.groups[event->group];
    uint64_t length = event->end - event->start;
    group->count++;
    group->bytes += event->bytes;
    group->total += length;
    if (length > group->max) group->max = length;
}

/* Puts a gap in its place among the longest. */
static void add_gap(struct gap gaps[TOP_GAPS + 1], struct gap gap) {
    int at = TOP_GAPS;
    for (; at > 0 && gaps[at - 1].length < gap.length; at--) gaps[at] = gaps[at - 1];
    gaps[at] = gap;
}

static void write_report(FILE *file) {
    static const struct group *sorted[MAX_GROUPS + 1];
    struct gap gaps[TOP_GAPS + 1] = {0};
    struct events *device = &trace.device;
    uint64_t busy = 0, first = 0, last = 0;
    uint32_t latest = 0; /* the group of the event that ends at `last` */
    if (device->len) qsort(device->at, device->len, sizeof *device->at, by_start);
    while (device->len && device->at[device->len - 1].start >= trace.close) device->len--; /* closed after they came */
    size_t from = 0;
    uint64_t end = device->len ? device->at[device->len - 1].start : 0;
    while (from < device->len && end - device->at[from].start > trace.last) from++;
    if (device->len) first = last = device->at[from].start;
    for (size_t i = from; i < device->len; i++) {
        const struct event *event = &device->at[i];
        count(event);
        if (event->start > last) add_gap(gaps, (struct gap){last - first, event->start - last, latest, event->group});
        if (event->end < last) continue;
        busy += event->end - (event->start > last ? event->start : last);
        last = event->end;
        latest = event->group;
    }
    for (size_t i = 0; i < trace.host.len; i++) {
        const struct event *event = &trace.host.at[i];
        if (event->start >= first && event->start < last && event->start < trace.close) count(event);
    }
    size_t n = 0;
    for (uint32_t g = 1; g < trace.n_groups; g++) {
        if (trace.groups[g].count) sorted[n++] = &trace.groups[g];
    }
    sorted[n] = NULL;
    qsort(sorted, n, sizeof *sorted, by_total);

    int n_devices = __builtin_popcountll(trace.devices);
    fprintf(file, "{\"format\": 1, \"pid\": %ld, \"devices\": %d,\n", (long)trace.pid, n_devices);
    fprintf(file, "\"window_from_s\": %.9f, \"window_s\": %.9f, \"busy_s\": %.9f, \"busy_share\": %.6f,\n",
        s(first ? first - trace.injected : 0), s(last - first), s(busy),
        last > first ? s(busy) / s(last - first) : 0.0);
    fprintf(file, "\"lost_records\": %lu, \"untimed_records\": %lu, \"cut_short\": %s,\n\"recorded\": {", trace.lost,
        trace.untimed, truth(trace.cut_short));
    for (int k = 0; k < KINDS; k++) {
        fprintf(file, "%s\"%s\": %s", k ? ", " : "", KIND_NAMES[k], truth(trace.recorded[k]));
    }
    fputs("},\n\"refused\": {", file);
    for (int k = 0, some = 0; k < KINDS; k++) {
        if (trace.refusals[k]) fprintf(file, "%s\"%s\": \"%s\"", some++ ? ", " : "", KIND_NAMES[k], trace.refusals[k]);
    }
    fputs("},\n", file);
    write_rows(file, "kernels", sorted, KERNEL, KERNEL, TOP_KERNELS);
    write_rows(file, "memcpy", sorted, MEMCPY, MEMCPY, SIZE_MAX);
    write_rows(file, "memset", sorted, MEMSET, MEMSET, SIZE_MAX);
    write_rows(file, "api", sorted, DRIVER, RUNTIME, TOP_CALLS);
    write_rows(file, "synchronizations", sorted, WAIT, WAIT, SIZE_MAX);
    fputs("\"gaps\": [", file);
    for (int i = 0; i < TOP_GAPS && gaps[i].length; i++) {
        const struct group *before = &trace.groups[gaps[i].before], *after = &trace.groups[gaps[i].after];
        fprintf(file, "%s\n  {\"start_s\": %.9f", i ? "," : "", s(gaps[i].start));
        fprintf(file, ", \"length_us\": %.3f", us(gaps[i].length));
        fprintf(file, ", \"before_kind\": \"%s\", \"before\": ", KIND_NAMES[before->kind]);
        write_name(file, before);
        fprintf(file, ", \"after_kind\": \"%s\", \"after\": ", KIND_NAMES[after->kind]);
        write_name(file, after);
        fputc('}', file);
    }
    fputs("]}\n", file);
}

/* Decimal points in numbers, whatever locale the process has set for itself. */
static locale_t use_c_locale(void) {
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return plain ? uselocale(plain) : (locale_t)0;
}

/* The report appears under its name when it is complete. */
static void write_file(void) {
    char staged[4096];
    int length = snprintf(staged, sizeof staged, "%s.part", trace.out);
    FILE *file = length > 0 && (size_t)length < sizeof staged ? fopen(staged, "w") : NULL;
    use_c_locale();
    if (file) write_report(file);
    bool written = file && !ferror(file);
    if (file && fclose(file) != 0) written = false;
    if (!written || rename(staged, trace.out) != 0) say("cannot write TRACE_OUT, %s; there is no report", trace.out);
}

static void finish(void) {
    if (getpid() != trace.pid) return; /* a forked child, whose records are its parent's */
    CUptiResult result = cupti.ActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
    if (result != CUPTI_SUCCESS) say("CUPTI keeps its last records (%s); the report lacks them", error_name(result));
    pthread_mutex_lock(&trace.lock);
    trace.over = true;
    pthread_mutex_unlock(&trace.lock);
    write_file();
}

/* Loads CUPTI 13 and looks up its functions, or says what is missing. */
static bool load_cupti(void) {
    uint32_t version = 0;
    void *library = dlopen("libcupti.so.13", RTLD_NOW | RTLD_LOCAL);
    if (!library) return say("%s; nothing is recorded; add its folder to LD_LIBRARY_PATH", dlerror()), false;
#define LOOK_UP(name) \
    *(void **)&cupti.name = dlsym(library, "cupti" #name); \
    if (!cupti.name) return say("libcupti.so.13 has no function cupti" #name "; nothing is recorded"), false;
    FUNCTIONS(LOOK_UP)
    if (cupti.GetVersion(&version) == CUPTI_SUCCESS && version >= 130000 && version < 140000) return true;
    return say("libcupti.so.13 has version %u, expected 13xxxx; nothing is recorded", version), false;
}

/* A time of the environment in nanoseconds, or `missing`. */
static bool read_seconds(const char *variable, uint64_t missing, uint64_t *ns) {
    const char *text = getenv(variable);
    char *end = NULL;
    *ns = missing;
    if (!text || !*text) return true;
    double seconds = strtod(text, &end);
    if (end == text || *end || !(seconds >= 0 && seconds < 1e9)) {
        return say("%s is \"%s\", expected seconds, such as 2.5; nothing is recorded", variable, text), false;
    }
    *ns = (uint64_t)(seconds * 1e9);
    return true;
}

/* `pattern` with the process id in place of each %p; `NULL` without memory. */
static char *path_of(const char *pattern) {
    size_t at = 0;
    char *path = malloc(strlen(pattern) * 12 + 1);
    for (; path && *pattern; pattern++) {
        if (strncmp(pattern, "%p", 2) == 0) at += (size_t)sprintf(path + at, "%ld", (long)getpid()), pattern++;
        else path[at++] = *pattern;
    }
    if (path) path[at] = '\0';
    return path;
}

static void start(void) {
    const char *out = getenv("TRACE_OUT"), *host = getenv("TRACE_HOST"), *refusal = NULL;
    uint64_t skip, length, end;
    bool any = false;
    trace.pid = getpid();
    if (!out || !*out) return say("TRACE_OUT is not set, expected the path of the report; nothing is recorded");
    if (!read_seconds("TRACE_SKIP_S", 0, &skip) || !read_seconds("TRACE_FOR_S", UINT64_MAX, &length)) return;
    if (!read_seconds("TRACE_LAST_S", UINT64_MAX, &end)) return;
    if (!load_cupti() || !(trace.out = path_of(out))) return;
    CUptiResult result = cupti.GetTimestamp(&trace.injected);
    trace.open = trace.injected + skip;
    trace.last = end;
    if (length != UINT64_MAX) trace.close = trace.open + length;
    if (result == CUPTI_SUCCESS) result = cupti.ActivityRegisterCallbacks(buffer_requested, buffer_completed);
    if (result != CUPTI_SUCCESS) return say("CUPTI does not start (%s); nothing is recorded", error_name(result));
    for (int kind = 0; kind < KINDS; kind++) {
        if (kind >= DRIVER && host && strcmp(host, "0") == 0) continue;
        result = cupti.ActivityEnable(ACTIVITIES[kind]);
        any |= trace.recorded[kind] = result == CUPTI_SUCCESS;
        if (result != CUPTI_SUCCESS) refusal = trace.refusals[kind] = error_name(result);
    }
    if (!any) return say("CUPTI refuses to record anything (%s); there is no report", refusal);
    if (refusal) say("CUPTI refuses to record some activity (%s); the report says which", refusal);
    if (atexit(finish) != 0) say("the C library keeps no function for the end of the process; there is no report");
}

/* CUDA calls this in `cuInit`. The answer is always 1, success: the process is to run on. */
__attribute__((visibility("default"))) int InitializeInjection(void) {
    locale_t before = use_c_locale();
    if (!trace.pid) start();
    if (before) uselocale(before);
    return 1;
}

#ifdef TRACE_SELF_TEST
/* Made-up records go through `buffer_completed`, with CUPTI's own iteration, and the report must say what they come to.
 * The argument is the path of the report. Ends with 1, and with what is missing on stderr, if the report is wrong. */
#define PUT(type, ...) (*(type *)(buffer + used) = (type){__VA_ARGS__}, used += sizeof(type))
#define PUT_KERNEL(label, from, to) \
    PUT(CUpti_ActivityKernel10, .kind = CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, .name = label, .start = from, .end = to)
#define PUT_CALL(domain, id, from, to) \
    PUT(CUpti_ActivityAPI, .kind = CUPTI_ACTIVITY_KIND_##domain, .cbid = id, .start = from, .end = to)
#define PUT_WAIT(what, from, to) \
    PUT(CUpti_ActivitySynchronization2, .kind = CUPTI_ACTIVITY_KIND_SYNCHRONIZATION, .start = from, .end = to, \
        .type = CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_##what)

/* What comes to a process that was injected at 1000, with a window from 2000 to 10000. */
static void complete_all_kinds(void) {
    static char alike[2][200];
    uint8_t *buffer;
    size_t size, max_records, used = 0;
    for (int i = 0; i < 2; i++) memset(alike[i], 'x', 199), alike[i][198] = (char)('a' + i);
    buffer_requested(&buffer, &size, &max_records);
    PUT_KERNEL("late \"add\"", 5000, 5600); /* out of order, and busy from 5000 to 5900 with those that overlap it */
    PUT_KERNEL("before", 1500, 2500);
    PUT_KERNEL("add", 2100, 2300);
    PUT_KERNEL("add", 2200, 2250);
    PUT_KERNEL(alike[0], 5500, 5800);
    PUT_KERNEL(alike[1], 5800, 5900);
    PUT_KERNEL("untimed", 0, 0);
    PUT_KERNEL("running", 6000, 0);
    PUT_KERNEL("after", 10000, 10001);
    PUT(CUpti_ActivityMemcpy6, .kind = CUPTI_ACTIVITY_KIND_MEMCPY, .copyKind = CUPTI_ACTIVITY_MEMCPY_KIND_DTOH,
        .srcKind = CUPTI_ACTIVITY_MEMORY_KIND_DEVICE, .dstKind = CUPTI_ACTIVITY_MEMORY_KIND_PAGEABLE,
        .flags = CUPTI_ACTIVITY_FLAG_MEMCPY_ASYNC, .bytes = 40, .start = 9500, .end = 9900);
    PUT(CUpti_ActivityMemset4, .kind = CUPTI_ACTIVITY_KIND_MEMSET, .bytes = 64, .start = 3000, .end = 3100,
        .memoryKind = CUPTI_ACTIVITY_MEMORY_KIND_DEVICE);
    PUT_CALL(DRIVER, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel, 2150, 2160);
    PUT_CALL(DRIVER, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel, 2050, 2080); /* before the first device activity */
    PUT_CALL(RUNTIME, CUPTI_RUNTIME_TRACE_CBID_cudaMalloc_v3020, 9950, 9990); /* after the last */
    PUT_WAIT(STREAM_SYNCHRONIZE, 2300, 9890);
    PUT_WAIT(STREAM_WAIT_EVENT, 2310, 2311);
    buffer_completed(NULL, 0, buffer, size, used);
}

/* More kernels than there is room for; the last is out of order, so that the one at 4400 is after the cut. */
static void complete_too_many(void) {
    uint8_t *buffer;
    size_t size, max_records, used = 0;
    buffer_requested(&buffer, &size, &max_records);
    for (uint64_t i = 0; i < MAX_EVENTS + 2; i++) PUT_KERNEL("many", 3000 + 200 * i, 3100 + 200 * i);
    PUT_KERNEL("many", 4350, 4380);
    buffer_completed(NULL, 0, buffer, size, used);
}

/* Writes the report; whether it has all these texts. */
static bool report_has(const char *const *texts) {
    static char report[1 << 16];
    bool all = true;
    write_file();
    FILE *file = fopen(trace.out, "r");
    if (file) report[fread(report, 1, sizeof report - 1, file)] = '\0', fclose(file);
    for (; *texts; texts++) {
        if (!strstr(report, *texts)) all = false, say("the report lacks: %s", *texts);
    }
    return all;
}

int main(int argc, char **argv) {
    if (argc != 2 || !load_cupti()) return 1;
    trace.out = argv[1];
    trace.injected = 1000;
    trace.open = 2000;
    trace.close = 10000;
    for (int kind = 0; kind < KINDS; kind++) trace.recorded[kind] = true;
    complete_too_many();
    bool right = report_has((const char *const[]){
        "\"window_from_s\": 0.000002000, \"window_s\": 0.000001300, \"busy_s\": 0.000000700", "\"cut_short\": true",
        "{\"name\": \"many\", \"count\": 7, \"total_us\": 0.700, \"mean_us\": 0.100, \"max_us\": 0.100}", NULL});
    trace.groups[1].count = 0;
    trace.close = 10000;
    trace.device.len = 0;
    trace.cut_short = false;
    complete_all_kinds();
    right &= report_has((const char *const[]){
        "\"window_from_s\": 0.000001100, \"window_s\": 0.000007800, \"busy_s\": 0.000001600, \"busy_share\": 0.205128",
        "\"lost_records\": 0, \"untimed_records\": 2, \"cut_short\": false",
        "{\"name\": \"add\", \"count\": 2, \"total_us\": 0.250, \"mean_us\": 0.125, \"max_us\": 0.200}",
        "{\"name\": \"late ?add?\", \"count\": 1, \"total_us\": 0.600,", "xxx#", "\"kernels_rest\": {\"names\": 0,",
        "\"memcpy\": [\n  {\"name\": \"DtoH\", \"from\": \"device\", \"to\": \"pageable\", \"async\": true, "
        "\"waits\": true, \"bytes\": 40, \"count\": 1, \"total_us\": 0.400",
        "\"memset\": [\n  {\"name\": \"device\", \"bytes\": 64, \"count\": 1, \"total_us\": 0.100",
        "\"api\": [\n  {\"name\": \"cuLaunchKernel\", \"api\": \"driver\", \"count\": 1, \"total_us\": 0.010, "
        "\"mean_us\": 0.010, \"max_us\": 0.010}],",
        "\"stream synchronize\", \"failed\": false, \"waits\": true, \"count\": 1, \"total_us\": 7.590",
        "\"stream wait event\", \"failed\": false, \"waits\": false, \"count\": 1",
        "\"gaps\": [\n  {\"start_s\": 0.000003800, \"length_us\": 3.600, \"before_kind\": \"kernel\", "
        "\"before\": \"xxx",
        "\"after_kind\": \"memcpy\", \"after\": \"DtoH\"},\n  {\"start_s\": 0.000001000, \"length_us\": 1.900,", NULL});
    return right ? 0 : 1;
}
#endif
