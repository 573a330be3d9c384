#include "responder/answer/request.h"

static const struct method_row {
        struct bytes name;
        enum method method;
} METHODS[] = {
        {BYTES_LIT("GET"), METHOD_GET},
        {BYTES_LIT("POST"), METHOD_POST},
        {BYTES_LIT("HEAD"), METHOD_HEAD},
        {BYTES_LIT("PUT"), METHOD_OTHER},
        {BYTES_LIT("DELETE"), METHOD_OTHER},
        {BYTES_LIT("OPTIONS"), METHOD_OTHER},
        {BYTES_LIT("CONNECT"), METHOD_OTHER},
        {BYTES_LIT("TRACE"), METHOD_OTHER},
        {BYTES_LIT("PATCH"), METHOD_OTHER},
};

enum method request_find_method(struct bytes name)
{
        for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++)
                if (bytes_equal(name, METHODS[i].name))
                        return METHODS[i].method;
        return METHOD_UNKNOWN;
}
