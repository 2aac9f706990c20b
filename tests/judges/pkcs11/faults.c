/* A PKCS#11 module in front of another (MODULE), which does what SoftHSM never does; FAULT says what. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long ulong;
struct list {
    unsigned char version[2];
    void *function[68];
};
/* Places in CK_FUNCTION_LIST. */
enum { INITIALIZE = 0, FINALIZE = 1, TOKEN_INFO = 6, OPEN_SESSION = 12, LOGIN = 18, SIGN_INIT = 42, SIGN = 43 };
enum { FLAGS = 96 };

static struct list real, ours;
static int signatures, is_open;

static int is(const char *fault) {
    const char *wanted = getenv("FAULT");
    return wanted && !strcmp(wanted, fault);
}

/* Threads of a real module run until it is finalized, in code that is no longer there. */
__attribute__((destructor)) static void unloaded(void) {
    if (is_open) abort();
}

static ulong initialize(void *args) {
    ulong answer = ((ulong(*)(void *))real.function[INITIALIZE])(args);
    is_open = !answer;
    return answer;
}

static ulong finalize(void *reserved) {
    is_open = 0;
    return ((ulong(*)(void *))real.function[FINALIZE])(reserved);
}

static ulong token_info(ulong slot, unsigned char *info) {
    ulong answer = ((ulong(*)(ulong, unsigned char *))real.function[TOKEN_INFO])(slot, info);
    ulong flags;
    memcpy(&flags, info + FLAGS, sizeof flags);
    /* Another card next to ours; or ours, removed. */
    if (is("unreadable neighbour") && !(flags & 0x400)) return 0xe1;
    if (is("removed at once")) return 0x32;
    if (is("final try")) flags |= 0x20000;
    if (is("locked")) flags |= 0x40000;
    if (is("keypad")) flags |= 0x100;
    memcpy(info + FLAGS, &flags, sizeof flags);
    return answer;
}

static ulong open_session(ulong slot, ulong flags, void *a, void *b, ulong *session) {
    if (is("gone at once")) return 0xe0;
    return ((ulong(*)(ulong, ulong, void *, void *, ulong *))real.function[OPEN_SESSION])(slot, flags, a, b, session);
}

static ulong login(ulong session, ulong user, char *pin, ulong length) {
    if (is("no login")) abort();
    if (is("last try")) return 0xa4;
    if (is("keypad") && !pin) {
        pin = getenv("KEYPAD");
        length = strlen(pin);
    }
    return ((ulong(*)(ulong, ulong, char *, ulong))real.function[LOGIN])(session, user, pin, length);
}

static ulong sign_init(ulong session, void *mechanism, ulong key) {
    if (is("may not sign")) return 0x68;
    if (is("always asks")) return 0x101;
    if (is("other mechanisms")) return 0x70;
    return ((ulong(*)(ulong, void *, ulong))real.function[SIGN_INIT])(session, mechanism, key);
}

static ulong sign(ulong session, void *data, ulong length, unsigned char *out, ulong *out_length) {
    if (out && is("gone") && ++signatures == 2) return 0x32;
    ulong answer = ((ulong(*)(ulong, void *, ulong, unsigned char *, ulong *))real.function[SIGN])(
        session, data, length, out, out_length);
    if (out && is("wrong signature")) out[0] ^= 1;
    return answer;
}

ulong C_GetFunctionList(struct list **list) {
    struct list *found;
    void *module = dlopen(getenv("MODULE"), RTLD_NOW);
    if (!module) return 5;
    ((ulong(*)(struct list **))dlsym(module, "C_GetFunctionList"))(&found);
    real = ours = *found;
    ours.function[INITIALIZE] = initialize;
    ours.function[FINALIZE] = finalize;
    ours.function[TOKEN_INFO] = token_info;
    ours.function[OPEN_SESSION] = open_session;
    ours.function[LOGIN] = login;
    ours.function[SIGN_INIT] = sign_init;
    ours.function[SIGN] = sign;
    *list = &ours;
    return 0;
}
