// Renders templates with Go's own text/template, one case a line as JSON, so that ours can be compared with it.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"text/template"
)

// The shapes that Ollama hands to templates, by the names and JSON keys of its documented API.

type propertyType []string

func (p propertyType) String() string {
	if len(p) == 0 {
		return ""
	}
	if len(p) == 1 {
		return p[0]
	}
	return fmt.Sprintf("%v", []string(p))
}

func (p propertyType) MarshalJSON() ([]byte, error) {
	if len(p) == 1 {
		return json.Marshal(p[0])
	}
	return json.Marshal([]string(p))
}

func (p *propertyType) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*p = propertyType{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(p))
}

type property struct {
	AnyOf       []property   `json:"anyOf,omitempty"`
	Type        propertyType `json:"type,omitempty"`
	Items       any          `json:"items,omitempty"`
	Description string       `json:"description,omitempty"`
	Enum        []any        `json:"enum,omitempty"`
	Properties  properties   `json:"properties,omitempty"`
	Required    []string     `json:"required,omitempty"`
}

type properties map[string]property

func (p properties) String() string { return text(p == nil, p) }

type arguments map[string]any

func (a arguments) String() string { return text(a == nil, a) }

func text(isNil bool, value any) string {
	if isNil {
		return "{}"
	}
	data, _ := json.Marshal(value)
	return string(data)
}

type tool struct {
	Type     string `json:"type"`
	Items    any    `json:"items,omitempty"`
	Function struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Parameters  struct {
			Type       string     `json:"type"`
			Defs       any        `json:"$defs,omitempty"`
			Items      any        `json:"items,omitempty"`
			Required   []string   `json:"required,omitempty"`
			Properties properties `json:"properties"`
		} `json:"parameters"`
	} `json:"function"`
}

func (t tool) String() string { return text(false, t) }

type tools []tool

func (t tools) String() string { data, _ := json.Marshal(t); return string(data) }

type call struct {
	ID       string
	Function struct {
		Index     int
		Name      string
		Arguments arguments
	}
}

type message struct {
	Role, Content, Thinking string
	Images                  [][]byte
	ToolCalls               []call
	ToolName, ToolCallID    string
}

type input struct {
	Source   string
	Data     any
	Messages []*message
	Tools    tools
	System   string
}

// clipped leaves lists no room behind their end, which slicing could show.
func clipped(value any) any {
	switch value := value.(type) {
	case []any:
		for index, item := range value {
			value[index] = clipped(item)
		}
		return value[:len(value):len(value)]
	case map[string]any:
		for key, item := range value {
			value[key] = clipped(item)
		}
	}
	return value
}

func render(in input) (out []byte, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("panic: %v", caught)
		}
	}()
	functions := template.FuncMap{"json": func(value any) string { data, _ := json.Marshal(value); return string(data) }}
	parsed, err := template.New("").Option("missingkey=zero").Funcs(functions).Parse(in.Source)
	if err != nil {
		return nil, err
	}
	data := clipped(in.Data)
	if in.Messages != nil {
		data = map[string]any{"Messages": in.Messages, "Tools": in.Tools, "System": in.System, "Response": ""}
	}
	var buffer bytes.Buffer
	err = parsed.Execute(&buffer, data)
	return buffer.Bytes(), err
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	encoder := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var in input
			if json.Unmarshal(line, &in) != nil {
				os.Exit(2)
			}
			out, failure := render(in)
			// Bytes are base64 as JSON: not all output is UTF-8.
			answer := map[string]any{"out": out}
			if failure != nil {
				answer["error"] = failure.Error()
			}
			_ = encoder.Encode(answer)
		}
		if err != nil {
			return
		}
	}
}
