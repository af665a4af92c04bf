/* What other requests than those about containers carry. Source: Docker Engine API 1.51, NetworkCreateRequest, VolumeCreateOptions,
 * ExecConfig. All is kept as it was said: what nothing stands for is the handlers' to know. */
#include "engine/fields.h"

#define KEEP FIELD_KEEP_EMPTY

static const struct field pool_fields[] = {
    {"Subnet", FIELD_STRING, NULL, KEEP},
    {"IPRange", FIELD_STRING, NULL, KEEP},
    {"Gateway", FIELD_STRING, NULL, KEEP},
    {"AuxiliaryAddresses", FIELD_STRING_MAP, NULL, KEEP},
    {NULL},
};

static const struct field pools_fields[] = {
    {"Driver", FIELD_STRING, NULL, KEEP},
    {"Options", FIELD_STRING_MAP, NULL, KEEP},
    {"Config", FIELD_OBJECTS, NULL, KEEP, pool_fields},
    {NULL},
};

static const struct field source_fields[] = {
    {"Network", FIELD_STRING, NULL, KEEP},
    {NULL},
};

const struct field network_fields[] = {
    {"Name", FIELD_STRING, NULL, KEEP},
    {"CheckDuplicate", FIELD_BOOL, NULL, KEEP},
    {"Driver", FIELD_STRING, NULL, KEEP},
    {"Scope", FIELD_STRING, NULL, KEEP},
    {"EnableIPv4", FIELD_BOOL, NULL, KEEP},
    {"EnableIPv6", FIELD_BOOL, NULL, KEEP},
    {"IPAM", FIELD_OBJECT, NULL, KEEP, pools_fields},
    {"Internal", FIELD_BOOL, NULL, KEEP},
    {"Attachable", FIELD_BOOL, NULL, KEEP},
    {"Ingress", FIELD_BOOL, NULL, KEEP},
    {"ConfigOnly", FIELD_BOOL, NULL, KEEP},
    {"ConfigFrom", FIELD_OBJECT, NULL, KEEP, source_fields},
    {"Options", FIELD_STRING_MAP, NULL, KEEP},
    {"Labels", FIELD_STRING_MAP, NULL, KEEP},
    {NULL},
};

const struct field connect_fields[] = {
    {"Container", FIELD_STRING, NULL, KEEP},
    {"EndpointConfig", FIELD_OBJECT, NULL, KEEP},
    {NULL},
};

const struct field disconnect_fields[] = {
    {"Container", FIELD_STRING, NULL, KEEP},
    {"Force", FIELD_BOOL, NULL, KEEP},
    {NULL},
};

const struct field volume_fields[] = {
    {"Name", FIELD_STRING, NULL, KEEP},
    {"Driver", FIELD_STRING, NULL, KEEP},
    {"DriverOpts", FIELD_STRING_MAP, NULL, KEEP},
    {"Labels", FIELD_STRING_MAP, NULL, KEEP},
    {"ClusterVolumeSpec", FIELD_OBJECT, NULL, KEEP},
    {NULL},
};

const struct field exec_fields[] = {
    {"User", FIELD_STRING, NULL, KEEP},
    {"Privileged", FIELD_BOOL, NULL, KEEP},
    {"Tty", FIELD_BOOL, NULL, KEEP},
    {"ConsoleSize", FIELD_INTS, NULL, KEEP},
    {"AttachStdin", FIELD_BOOL, NULL, KEEP},
    {"AttachStderr", FIELD_BOOL, NULL, KEEP},
    {"AttachStdout", FIELD_BOOL, NULL, KEEP},
    {"DetachKeys", FIELD_STRING, NULL, KEEP},
    {"Env", FIELD_STRINGS, NULL, KEEP},
    {"WorkingDir", FIELD_STRING, NULL, KEEP},
    {"Cmd", FIELD_STRINGS, NULL, KEEP},
    {"EndsWith", FIELD_STRING, NULL, KEEP},
    /* keg's own */ {NULL},
};

const struct field exec_start_fields[] = {
    {"Detach", FIELD_BOOL, NULL, KEEP},
    {"Tty", FIELD_BOOL, NULL, KEEP},
    {"ConsoleSize", FIELD_INTS, NULL, KEEP},
    {NULL},
};
