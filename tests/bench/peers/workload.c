/* Makes the benchmark's data: a fleet of machines or of vehicles, the same bytes for the same options.
 *
 *   workload [--kind cpu|iot] [--hosts N] [--hours H] [--interval S] [--seed N] [--values int|float]
 *            [--format lp|csv] [--measurement NAME] [--start EPOCH] [--prefix TEXT] [--part K/N]
 *
 * cpu is the published TSBS use case "cpu-only": every host has ten tags and, each interval, ten percentages
 * that walk at random (normal steps, kept inside 0..100).  As `int` they are cut to whole numbers, as `float`
 * rounded to two decimals.  All hosts report at one instant before the next one begins, as live collectors
 * do.
 *
 * iot is a fleet of vehicles that report position (`readings`) and state (`diagnostics`).  Nothing is as tidy
 * as above: fields are missing now and then, one vehicle in twenty has no driver, a vehicle may fall silent
 * (a gap), or be out of reach and send later what it kept meanwhile (late points, up to hours old); some of
 * these bursts are sent twice, as a client does that has seen no answer. The CSV has one measurement
 * (--measurement), the same points in the same order, and no retries.
 *
 * Each host draws from a generator of its own, so that --part K/N (hosts K, K+N, ... of all) makes exactly
 * the lines that the whole would hold for these hosts.  Lines go to the standard output. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_FIELDS 10u
#define MAX_TAGS   10u

struct options {
    bool iot, real, csv;
    uint64_t hosts, seed, part, parts;
    double hours;
    int64_t interval, start;
    const char *measurement, *prefix;
};

/* A growing text. */
struct text {
    char *p;
    size_t n, size;
};

static void die(const char *what)
{
    fprintf(stderr, "workload: %s\n", what);
    exit(2);
}

static char *room(struct text *t, size_t n)
{
    if (t->size - t->n < n) {
        t->size = (t->size + n) * 2;
        t->p = realloc(t->p, t->size);
        if (!t->p)
            die("out of memory");
    }
    return t->p + t->n;
}

static void put(struct text *t, const char *s)
{
    size_t n = strlen(s);
    memcpy(room(t, n + 1), s, n + 1);
    t->n += n;
}

/* A number of `decimals` places held as an integer, in its shortest form. */
static void put_fixed(struct text *t, int64_t v, unsigned decimals)
{
    char digits[32], *p = room(t, 32);
    unsigned n = 0, cut = 0;
    uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
    if (v < 0)
        *p++ = '-';
    do
        digits[n++] = (char)('0' + u % 10);
    while ((u /= 10) || n <= decimals);
    while (cut < decimals && digits[cut] == '0')
        cut++;
    while (n > cut) {
        if (n == decimals)
            *p++ = '.';
        *p++ = digits[--n];
    }
    t->n = (size_t)(p - t->p);
}

static void flush(struct text *t)
{
    if (fwrite(t->p, 1, t->n, stdout) != t->n)
        die(strerror(errno));
    t->n = 0;
}

/* Random numbers: a counter through a mixing function (splitmix64), one counter a host. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double uniform(uint64_t *state)
{
    return (double)(draw(state) >> 11) * 0x1p-53;
}

static unsigned pick(uint64_t *state, unsigned n)
{
    return (unsigned)(uniform(state) * n);
}

/* Two independent normal variates (polar method). */
static void normal_pair(uint64_t *state, double *a, double *b)
{
    double u, v, q;
    do {
        u = 2 * uniform(state) - 1;
        v = 2 * uniform(state) - 1;
        q = u * u + v * v;
    } while (q >= 1 || q == 0);
    double m = sqrt(-2 * log(q) / q);
    *a = u * m;
    *b = v * m;
}

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

/* --- what hosts and vehicles look like --- */

static const char *const cpu_tags[MAX_TAGS] = {
    "hostname", "region",          "datacenter",         "rack", "os", "arch", "team",
    "service",  "service_version", "service_environment"};
static const char *const cpu_fields[MAX_FIELDS] = {
    "usage_user", "usage_system",  "usage_idle",  "usage_nice",  "usage_iowait",
    "usage_irq",  "usage_softirq", "usage_steal", "usage_guest", "usage_guest_nice"};
/* Regions with the letters of their datacenters. */
static const char *const regions[][2] = {
    {"us-east-1", "abce"}, {"us-west-1", "ab"},      {"us-west-2", "abc"},
    {"eu-west-1", "abc"},  {"eu-central-1", "ab"},   {"ap-southeast-1", "ab"},
    {"sa-east-1", "abc"},  {"ap-southeast-2", "ab"}, {"ap-northeast-1", "ac"},
};
static const char *const systems[] = {"Ubuntu16.10", "Ubuntu16.04LTS", "Ubuntu15.10"};
static const char *const archs[] = {"x64", "x86"};
static const char *const teams[] = {"SF", "NYC", "LON", "CHI"};
static const char *const environments[] = {"production", "staging", "test"};

static const char *const iot_tags[] = {
    "name",           "fleet",         "driver",        "model",
    "device_version", "load_capacity", "fuel_capacity", "nominal_fuel_consumption"};
static const char *const fleets[] = {"North", "South", "East", "West"};
static const char *const drivers[] = {"Ana", "Bela", "Chen", "Dora", "Emil", "Fay"};
static const char *const versions[] = {"v1.0", "v1.5", "v2.0", "v2.3"};
static const struct model {
    const char *name, *load, *fuel, *nominal;
    double capacity;
} models[] = {{"H-20", "1500", "150", "12", 1500},
              {"K-200", "5000", "300", "19", 5000},
              {"M-5", "2000", "200", "15", 2000}};

/* A field of a vehicle: where its walk begins, how far it steps, its bounds, and its decimals (0: an
 * integer). */
struct field {
    const char *name;
    double low, high, step;
    unsigned decimals;
};
static const struct field readings[] = {{"latitude", -60, 70, 0.002, 5},  {"longitude", -180, 180, 0.002, 5},
                                        {"elevation", 0, 3000, 8, 0},     {"velocity", 0, 110, 6, 1},
                                        {"heading", 0, 359, 9, 0},        {"grade", -20, 20, 1, 0},
                                        {"fuel_consumption", 0, 50, 2, 1}};
static const struct field diagnostics[] = {
    {"fuel_state", 0, 1, 0.01, 3}, {"current_load", 0, 5000, 60, 0}, {"status", 0, 5, 0.4, 0}};
#define READINGS    (sizeof(readings) / sizeof(readings[0]))
#define DIAGNOSTICS (sizeof(diagnostics) / sizeof(diagnostics[0]))

struct host {
    uint64_t random;
    double value[MAX_FIELDS];
    size_t tags;          /* where its tags begin in the text of all tags */
    int64_t silent_until; /* a gap: nothing is made */
    int64_t unseen_until; /* out of reach: points wait in `kept` */
    struct text kept;
};

static void put_tag(struct text *t, const struct options *o, const char *key, const char *value)
{
    put(t, ",");
    if (!o->csv) {
        if (!*value)
            t->n--; /* no such tag */
        else {
            put(t, key);
            put(t, "=");
        }
    }
    put(t, value);
}

static void make_cpu(struct host *h, uint64_t id, const struct options *o, struct text *tags)
{
    char name[64], datacenter[32], rack[16], service[16], version[16];
    const char *const *region = regions[pick(&h->random, sizeof(regions) / sizeof(regions[0]))];
    snprintf(name, sizeof(name), "%s%llu", o->prefix, (unsigned long long)id);
    snprintf(datacenter, sizeof(datacenter), "%s%c", region[0],
             region[1][pick(&h->random, (unsigned)strlen(region[1]))]);
    snprintf(rack, sizeof(rack), "%u", pick(&h->random, 100));
    snprintf(service, sizeof(service), "%u", pick(&h->random, 20));
    snprintf(version, sizeof(version), "%u", pick(&h->random, 2));
    const char *values[MAX_TAGS] = {name,
                                    region[0],
                                    datacenter,
                                    rack,
                                    systems[pick(&h->random, 3)],
                                    archs[pick(&h->random, 2)],
                                    teams[pick(&h->random, 4)],
                                    service,
                                    version,
                                    environments[pick(&h->random, 3)]};
    for (unsigned i = 0; i < MAX_TAGS; i++)
        put_tag(tags, o, cpu_tags[i], values[i]);
    for (unsigned i = 0; i < MAX_FIELDS; i++)
        h->value[i] = uniform(&h->random) * 100;
}

static void make_iot(struct host *h, uint64_t id, const struct options *o, struct text *tags)
{
    char name[64];
    snprintf(name, sizeof(name), "%s%llu", o->prefix, (unsigned long long)id);
    const struct model *m = &models[pick(&h->random, 3)];
    const char *fleet = fleets[pick(&h->random, 4)], *driver = drivers[pick(&h->random, 6)];
    const char *values[] = {
        name,    fleet,     id % 20 == 19 ? "" : driver, m->name, versions[pick(&h->random, 4)], m->load,
        m->fuel, m->nominal};
    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        put_tag(tags, o, iot_tags[i], values[i]);
    for (unsigned i = 0; i < READINGS + DIAGNOSTICS; i++) {
        const struct field *f = i < READINGS ? &readings[i] : &diagnostics[i - READINGS];
        h->value[i] = f->low + uniform(&h->random) * (f->high - f->low);
    }
}

/* --- one instant of one host --- */

struct instant {
    char epoch_ns[32];
    char civil[32];
};

static void cpu_line(struct host *h, const struct options *o, const struct instant *at, const char *tags,
                     struct text *out)
{
    if (o->csv)
        put(out, at->civil);
    else
        put(out, o->measurement);
    put(out, tags);
    for (unsigned i = 0; i < MAX_FIELDS; i++) {
        put(out, o->csv || i ? "," : " ");
        if (!o->csv) {
            put(out, cpu_fields[i]);
            put(out, "=");
        }
        if (o->real)
            put_fixed(out, (int64_t)(h->value[i] * 100 + 0.5), 2);
        else {
            put_fixed(out, (int64_t)h->value[i], 0);
            if (!o->csv)
                put(out, "i");
        }
    }
    if (!o->csv) {
        put(out, " ");
        put(out, at->epoch_ns);
    }
    put(out, "\n");
    for (unsigned i = 0; i < MAX_FIELDS; i += 2) {
        double a, b;
        normal_pair(&h->random, &a, &b);
        h->value[i] = clamp(h->value[i] + a, 0, 100);
        h->value[i + 1] = clamp(h->value[i + 1] + b, 0, 100);
    }
}

static void iot_line(struct host *h, const struct options *o, const struct instant *at, const char *tags,
                     bool state, struct text *out)
{
    const struct field *fields = state ? diagnostics : readings;
    unsigned n = state ? DIAGNOSTICS : READINGS, shown = 0;
    double *value = h->value + (state ? READINGS : 0);
    size_t begin = out->n;
    put(out, o->csv ? at->civil : state ? "diagnostics" : "readings");
    put(out, tags);
    for (unsigned i = 0; i < n; i++) {
        double a, b;
        normal_pair(&h->random, &a, &b);
        value[i] = clamp(value[i] + a * fields[i].step, fields[i].low, fields[i].high);
        bool missing = uniform(&h->random) < 0.02;
        if (o->csv)
            put(out, ",");
        if (missing)
            continue;
        if (!o->csv) {
            put(out, shown ? "," : " ");
            put(out, fields[i].name);
            put(out, "=");
        }
        shown++;
        put_fixed(out, llround(value[i] * pow(10, fields[i].decimals)), fields[i].decimals);
        if (!o->csv && !fields[i].decimals)
            put(out, "i");
    }
    if (!o->csv) {
        put(out, " ");
        put(out, at->epoch_ns);
    }
    put(out, "\n");
    if (!shown)
        out->n = begin; /* a line without fields is none */
}

static void iot_instant(struct host *h, const struct options *o, const struct instant *at, int64_t now,
                        const char *tags, struct text *out)
{
    /* Times in hours between events, and how long they last: silence every two days, out of reach every day.
     */
    double silence = uniform(&h->random), unseen = uniform(&h->random);
    double longer = -log(1 - uniform(&h->random)), step = (double)o->interval / 3600;
    if (now < h->silent_until)
        return;
    if (silence < step / 48) {
        h->silent_until = now + (int64_t)(longer * 3600 * 2);
        return;
    }
    if (now >= h->unseen_until && unseen < step / 24)
        h->unseen_until = now + (int64_t)(longer * 3600);
    struct text *to = out;
    if (now < h->unseen_until)
        to = &h->kept;
    else if (h->kept.n) {
        unsigned times = uniform(&h->random) < 0.25 && !o->csv ? 2 : 1;
        while (times--) {
            memcpy(room(out, h->kept.n), h->kept.p, h->kept.n);
            out->n += h->kept.n;
        }
        h->kept.n = 0;
    }
    for (unsigned state = 0; state < 2; state++) {
        size_t begin = to->n;
        iot_line(h, o, at, tags, state, to);
        if (o->csv && strcmp(o->measurement, state ? "diagnostics" : "readings"))
            to->n = begin;
    }
}

static void header(const struct options *o, struct text *out)
{
    put(out, "time");
    unsigned tags = o->iot ? sizeof(iot_tags) / sizeof(iot_tags[0]) : MAX_TAGS;
    for (unsigned i = 0; i < tags; i++) {
        put(out, ",");
        put(out, o->iot ? iot_tags[i] : cpu_tags[i]);
    }
    bool state = !strcmp(o->measurement, "diagnostics");
    unsigned fields = !o->iot ? MAX_FIELDS : state ? DIAGNOSTICS : READINGS;
    for (unsigned i = 0; i < fields; i++) {
        put(out, ",");
        put(out, !o->iot ? cpu_fields[i] : state ? diagnostics[i].name : readings[i].name);
    }
    put(out, "\n");
}

static void parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i += 2) {
        const char *key = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        char *end = NULL;
        errno = 0;
        if (!strcmp(key, "--kind") && (!strcmp(value, "cpu") || !strcmp(value, "iot")))
            o->iot = *value == 'i';
        else if (!strcmp(key, "--values") && (!strcmp(value, "int") || !strcmp(value, "float")))
            o->real = *value == 'f';
        else if (!strcmp(key, "--format") && (!strcmp(value, "lp") || !strcmp(value, "csv")))
            o->csv = *value == 'c';
        else if (!strcmp(key, "--measurement") && *value)
            o->measurement = value;
        else if (!strcmp(key, "--prefix") && *value && strlen(value) < 32)
            o->prefix = value;
        else if (!strcmp(key, "--hosts"))
            o->hosts = strtoull(value, &end, 10);
        else if (!strcmp(key, "--seed"))
            o->seed = strtoull(value, &end, 10);
        else if (!strcmp(key, "--hours"))
            o->hours = strtod(value, &end);
        else if (!strcmp(key, "--interval"))
            o->interval = strtoll(value, &end, 10);
        else if (!strcmp(key, "--start"))
            o->start = strtoll(value, &end, 10);
        else if (!strcmp(key, "--part")) {
            o->part = strtoull(value, &end, 10);
            if (*end == '/')
                o->parts = strtoull(end + 1, &end, 10);
        } else
            die("bad option; the head of workload.c names them");
        if (end && (*end || end == value || errno))
            die("an option's value is no number");
    }
    if (!o->hosts || o->hosts > 100000000 || o->interval < 1 || !(o->hours >= 0) || o->hours > 1e6 ||
        !o->parts || o->part >= o->parts)
        die("an option is out of range");
    if (o->iot && o->csv && strcmp(o->measurement, "readings") && strcmp(o->measurement, "diagnostics"))
        die("--measurement readings or diagnostics, for CSV");
}

int main(int argc, char **argv)
{
    struct options o = {
        .hosts = 100, .seed = 1, .parts = 1, .hours = 72, .interval = 10, .start = 1451606400};
    parse(argc, argv, &o);
    if (!o.measurement)
        o.measurement = "cpu";
    if (!o.prefix)
        o.prefix = o.iot ? "truck_" : "host_";

    uint64_t count = (o.hosts - o.part + o.parts - 1) / o.parts;
    struct host *hosts = calloc(count ? count : 1, sizeof(*hosts));
    struct text tags = {0}, out = {0};
    if (!hosts)
        die("out of memory");
    for (uint64_t i = 0; i < count; i++) {
        uint64_t id = o.part + i * o.parts, mixed = o.seed;
        hosts[i].random = draw(&mixed) ^ id * 0xd1342543de82ef95u;
        hosts[i].tags = tags.n;
        if (o.iot)
            make_iot(&hosts[i], id, &o, &tags);
        else
            make_cpu(&hosts[i], id, &o, &tags);
        room(&tags, 1);
        tags.n++; /* keeps the terminating zero */
    }

    if (o.csv)
        header(&o, &out);
    int64_t steps = (int64_t)(o.hours * 3600 / (double)o.interval);
    for (int64_t s = 0; s < steps; s++) {
        int64_t now = o.start + s * o.interval;
        struct instant at;
        struct tm tm;
        time_t t = (time_t)now;
        gmtime_r(&t, &tm);
        strftime(at.civil, sizeof(at.civil), "%Y-%m-%d %H:%M:%S", &tm);
        snprintf(at.epoch_ns, sizeof(at.epoch_ns), "%lld000000000", (long long)now);
        for (uint64_t i = 0; i < count; i++) {
            if (o.iot)
                iot_instant(&hosts[i], &o, &at, now, tags.p + hosts[i].tags, &out);
            else
                cpu_line(&hosts[i], &o, &at, tags.p + hosts[i].tags, &out);
            if (out.n >= 1 << 20)
                flush(&out);
        }
    }
    for (uint64_t i = 0; i < count; i++) { /* who is still out of reach at the end comes home */
        memcpy(room(&out, hosts[i].kept.n + 1), hosts[i].kept.p ? hosts[i].kept.p : "", hosts[i].kept.n);
        out.n += hosts[i].kept.n;
        free(hosts[i].kept.p);
    }
    flush(&out);
    free(hosts);
    free(tags.p);
    free(out.p);
    return fflush(stdout) ? 1 : 0;
}
