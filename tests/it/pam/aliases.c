/* A name service that knows accounts by other spellings too, as directories do: in capitals, and with a realm. */
#include <ctype.h>
#include <errno.h>
#include <nss.h>
#include <pwd.h>
#include <shadow.h>
#include <string.h>

/* The plain spelling; whether it is another. */
static int plain(const char *name, char *to, size_t room)
{
	size_t length = strcspn(name, "@");
	if (length >= room)
		return 0;
	for (size_t i = 0; i < length; i++)
		to[i] = tolower((unsigned char)name[i]);
	to[length] = '\0';
	return strcmp(name, to) != 0;
}

static enum nss_status answer(int failure, const void *found, int *errnop)
{
	if (failure == ERANGE) {
		*errnop = ERANGE;
		return NSS_STATUS_TRYAGAIN;
	}
	return found != NULL ? NSS_STATUS_SUCCESS : NSS_STATUS_NOTFOUND;
}

enum nss_status _nss_aliases_getpwnam_r(const char *name, struct passwd *entry, char *room, size_t size, int *errnop)
{
	char other[256];
	struct passwd *found = NULL;
	if (!plain(name, other, sizeof other))
		return NSS_STATUS_NOTFOUND;
	int failure = getpwnam_r(other, entry, room, size, &found);
	return answer(failure, found, errnop);
}

enum nss_status _nss_aliases_getspnam_r(const char *name, struct spwd *entry, char *room, size_t size, int *errnop)
{
	char other[256];
	struct spwd *found = NULL;
	if (!plain(name, other, sizeof other))
		return NSS_STATUS_NOTFOUND;
	int failure = getspnam_r(other, entry, room, size, &found);
	return answer(failure, found, errnop);
}
