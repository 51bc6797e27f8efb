// SPDX-License-Identifier: Apache-2.0
// More signatures of Unity 2021.3: those that the samples use. Nothing here does anything.
using System;
using System.Collections;

namespace UnityEngine
{
    public partial class Component
    {
        public Transform transform => throw new NotSupportedException();
    }

    public static partial class Time
    {
        public static float time => throw new NotSupportedException();

        public static float deltaTime => throw new NotSupportedException();
    }

    public sealed partial class GameObject
    {
        public Transform transform => throw new NotSupportedException();

        public static GameObject CreatePrimitive(PrimitiveType type) => throw new NotSupportedException();
    }

    public enum PrimitiveType
    {
        Sphere,
        Capsule,
        Cylinder,
        Cube,
        Plane,
        Quad,
    }

    public class Transform : Component
    {
        public Vector3 position { get; set; }

        public Vector3 localPosition { get; set; }

        public Vector3 localScale { get; set; }

        public void SetParent(Transform parent, bool worldPositionStays) { }

        public void LookAt(Vector3 worldPosition) { }
    }

    public partial struct Vector3
    {
        public static Vector3 one => throw new NotSupportedException();

        public Vector3 normalized => throw new NotSupportedException();

        public static Vector3 operator +(Vector3 a, Vector3 b) => throw new NotSupportedException();

        public static Vector3 operator *(float d, Vector3 a) => throw new NotSupportedException();

        public static float Distance(Vector3 a, Vector3 b) => throw new NotSupportedException();

        public static Vector3 MoveTowards(Vector3 current, Vector3 target, float maxDistanceDelta) => throw new NotSupportedException();
    }

    public partial struct Color
    {
        public static Color white => throw new NotSupportedException();

        public static Color red => throw new NotSupportedException();

        public static Color green => throw new NotSupportedException();
    }

    public partial struct Mathf
    {
        public static float Min(float a, float b) => throw new NotSupportedException();

        public static int Min(int a, int b) => throw new NotSupportedException();

        public static float Max(float a, float b) => throw new NotSupportedException();

        public static float PerlinNoise(float x, float y) => throw new NotSupportedException();
    }

    public static class Random
    {
        public static float Range(float minInclusive, float maxInclusive) => throw new NotSupportedException();
    }

    public enum KeyCode
    {
        Space = 32,
    }

    public class Input
    {
        public static float GetAxisRaw(string axisName) => throw new NotSupportedException();

        public static bool GetKeyDown(KeyCode key) => throw new NotSupportedException();
    }

    public sealed class Camera : Behaviour
    {
        public static Camera main => throw new NotSupportedException();
    }

    public sealed class AudioListener : Behaviour { }

    public enum LightType
    {
        Spot,
        Directional,
        Point,
    }

    public sealed class Light : Behaviour
    {
        public LightType type { get; set; }

        public Color color { get; set; }

        public float range { get; set; }

        public float intensity { get; set; }
    }

    public class Material : Object
    {
        public Color color { get; set; }
    }

    public class Renderer : Component
    {
        public Material material { get; set; }
    }

    public sealed class RenderSettings : Object
    {
        public static Color ambientLight { get; set; }
    }

    public class Collider : Component
    {
        public bool enabled { get; set; }
    }

    public class CharacterController : Collider
    {
        public bool SimpleMove(Vector3 speed) => throw new NotSupportedException();
    }

    public class Texture2D : Texture
    {
        public static Texture2D whiteTexture => throw new NotSupportedException();
    }

    public partial class GUI
    {
        public static Color color { get; set; }

        public static void DrawTexture(Rect position, Texture image) { }
    }

    public partial class GUILayout
    {
        public static void BeginArea(Rect screenRect) { }

        public static void EndArea() { }

        public static void BeginHorizontal(params GUILayoutOption[] options) { }

        public static void EndHorizontal() { }

        public static void Label(string text, params GUILayoutOption[] options) { }

        public static string TextField(string text, params GUILayoutOption[] options) => throw new NotSupportedException();

        public static float HorizontalSlider(float value, float leftValue, float rightValue, params GUILayoutOption[] options) =>
            throw new NotSupportedException();
    }

    public abstract class CustomYieldInstruction : IEnumerator
    {
        public abstract bool keepWaiting { get; }

        public object Current => throw new NotSupportedException();

        public bool MoveNext() => throw new NotSupportedException();

        public virtual void Reset() { }
    }

    public class WaitForSecondsRealtime : CustomYieldInstruction
    {
        public WaitForSecondsRealtime(float time) { }

        public override bool keepWaiting => throw new NotSupportedException();
    }

    public static class JsonUtility
    {
        public static string ToJson(object obj) => throw new NotSupportedException();

        public static T FromJson<T>(string json) => throw new NotSupportedException();
    }
}

namespace UnityEngine.Networking
{
    public class UploadHandler : IDisposable
    {
        public string contentType { get; set; }

        public void Dispose() { }
    }

    public sealed class UploadHandlerRaw : UploadHandler
    {
        public UploadHandlerRaw(byte[] data) { }
    }

    public partial class DownloadHandler
    {
        public string text => throw new NotSupportedException();
    }

    public partial class UnityWebRequest
    {
        public UnityWebRequest() { }

        public UnityWebRequest(string url, string method) => this.url = url;

        public long responseCode => throw new NotSupportedException();

        public int timeout { get; set; }

        public UploadHandler uploadHandler { get; set; }

        public static string EscapeURL(string s) => throw new NotSupportedException();

        public void SetRequestHeader(string name, string value) { }
    }
}
