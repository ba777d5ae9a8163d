/* A PAM module that misbehaves as its arguments say: WHEN=WHAT, WHEN one of auth, account, setcred, open, close. */
#define PAM_SM_AUTH
#define PAM_SM_ACCOUNT
#define PAM_SM_SESSION
#include <security/pam_modules.h>
#include <security/pam_ext.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int ask(pam_handle_t *pamh, const char *question)
{
	char *answer = NULL;
	int result = pam_prompt(pamh, PAM_PROMPT_ECHO_OFF, &answer, "%s", question);
	if (answer != NULL) {
		memset(answer, 0, strlen(answer));
		free(answer);
	}
	return result;
}

static int do_it(pam_handle_t *pamh, const char *what)
{
	if (strcmp(what, "hang") == 0)
		for (;;)
			pause();
	if (strcmp(what, "crash") == 0)
		kill(getpid(), SIGSEGV);
	if (strcmp(what, "exit") == 0)
		_exit(0);
	if (strncmp(what, "user:", 5) == 0)
		return pam_set_item(pamh, PAM_USER, what + 5);
	if (strcmp(what, "ask-twice") == 0) {
		int first = ask(pamh, "Password: ");
		return first == PAM_SUCCESS ? ask(pamh, "Code: ") : first;
	}
	if (strcmp(what, "ask-for-ever") == 0)
		for (;;) {
			int result = ask(pamh, "Password: ");
			if (result != PAM_SUCCESS)
				return result;
		}
	if (strcmp(what, "talk") == 0)
		for (int line = 0; line < 10000; line++)
			pam_info(pamh, "line %d\033[2J of a module that likes to talk\n", line);
	if (strcmp(what, "environment") == 0) {
		char variable[40000];
		for (int number = 0; number < 1000; number++) {
			snprintf(variable, sizeof variable, "MANY_%d=%d", number, number);
			pam_putenv(pamh, variable);
		}
		pam_putenv(pamh, "LD_PRELOAD=/nowhere.so");
		pam_putenv(pamh, "PATH=/nowhere");
		pam_putenv(pamh, "HOME=/nowhere");
	}
	if (strcmp(what, "leave-running") == 0 && fork() == 0) {
		setsid();
		sleep(600);
		_exit(0);
	}
	if (strcmp(what, "refuse") == 0)
		return PAM_PERM_DENIED;
	return PAM_SUCCESS;
}

static int at(pam_handle_t *pamh, const char *when, int argc, const char **argv)
{
	size_t length = strlen(when);
	for (int i = 0; i < argc; i++)
		if (strncmp(argv[i], when, length) == 0 && argv[i][length] == '=') {
			int result = do_it(pamh, argv[i] + length + 1);
			if (result != PAM_SUCCESS)
				return result;
		}
	return PAM_SUCCESS;
}

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)flags;
	return at(pamh, "auth", argc, argv);
}

int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)flags;
	return at(pamh, "setcred", argc, argv);
}

int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)flags;
	return at(pamh, "account", argc, argv);
}

int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)flags;
	return at(pamh, "open", argc, argv);
}

int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)flags;
	return at(pamh, "close", argc, argv);
}
