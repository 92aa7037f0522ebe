{
  "targets": [
    {
      "target_name": "llamero",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["<(PRODUCT_DIR)/llamero.node"],
          "action": ["node", "native/build.mjs"]
        }
      ]
    }
  ]
}
