// Reads Pods as JSON, one a line, and prints for each what the evaluator of the API server says of it at the level
// "restricted" in its latest version: "allowed", or what is forbidden.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return err
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	writer := bufio.NewWriter(out)
	defer writer.Flush()
	decoder := json.NewDecoder(in)
	decoder.DisallowUnknownFields()
	for {
		var pod corev1.Pod
		if err := decoder.Decode(&pod); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		answer := "allowed"
		results := evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec)
		if result := policy.AggregateCheckResults(results); !result.Allowed {
			answer = result.ForbiddenDetail()
		}
		fmt.Fprintln(writer, answer)
	}
}
